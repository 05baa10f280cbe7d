-- expect: breaking
-- rewrites: public.users
-- Where the session's zone is UTC the bytes are the same, and nothing is written anew.
SET TimeZone = 'Europe/Berlin';
ALTER TABLE users ALTER COLUMN created_at TYPE timestamptz;
