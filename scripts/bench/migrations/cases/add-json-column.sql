-- expect: compatible
ALTER TABLE users ADD COLUMN extra json;
