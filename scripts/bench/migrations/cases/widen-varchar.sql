-- expect: compatible
ALTER TABLE users ALTER COLUMN nick TYPE varchar(80);
