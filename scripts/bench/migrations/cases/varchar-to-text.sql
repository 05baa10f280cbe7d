-- expect: compatible
ALTER TABLE users ALTER COLUMN nick TYPE text;
