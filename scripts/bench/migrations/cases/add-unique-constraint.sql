-- expect: breaking
UPDATE users SET nick = 'n' || id;
ALTER TABLE users ADD CONSTRAINT nick_unique UNIQUE (nick);
ALTER TABLE users ALTER COLUMN nick SET DEFAULT 'n1';
ALTER TABLE users ALTER COLUMN nick SET NOT NULL;
