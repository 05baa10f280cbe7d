-- expect: breaking
ALTER TABLE orders ADD COLUMN parent bigint;
ALTER TABLE orders ADD CONSTRAINT state_known CHECK (state IN ('new', 'sent')) NOT VALID;
