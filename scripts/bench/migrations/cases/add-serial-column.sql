-- expect: compatible
-- rewrites: public.users
ALTER TABLE users ADD COLUMN number serial;
