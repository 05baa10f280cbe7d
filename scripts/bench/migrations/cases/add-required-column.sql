-- expect: breaking
ALTER TABLE users ADD COLUMN tenant text;
UPDATE users SET tenant = 'x';
ALTER TABLE users ALTER COLUMN tenant SET NOT NULL;
