-- expect: compatible
ALTER TABLE users RENAME COLUMN legacy TO former;
