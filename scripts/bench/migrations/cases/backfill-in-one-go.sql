-- expect: compatible
-- locks: AccessExclusive public.users
ALTER TABLE users ADD COLUMN initial text;
UPDATE users SET initial = left(email, 1);
