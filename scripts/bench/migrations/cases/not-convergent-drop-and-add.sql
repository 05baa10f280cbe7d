-- expect: compatible
-- transaction: no
-- convergent: no
ALTER TABLE archive DROP COLUMN body;
ALTER TABLE archive ADD COLUMN text text;
