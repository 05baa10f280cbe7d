-- expect: compatible
-- transaction: no
-- convergent: no
ALTER TABLE users ADD COLUMN phone text;
ALTER TABLE users ADD COLUMN fax text;
