-- expect: compatible
ALTER TABLE users DROP COLUMN legacy;
