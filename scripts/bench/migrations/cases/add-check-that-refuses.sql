-- expect: breaking
ALTER TABLE orders ADD CONSTRAINT total_small CHECK (total < 80) NOT VALID;
