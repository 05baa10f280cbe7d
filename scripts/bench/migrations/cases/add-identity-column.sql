-- expect: compatible
-- rewrites: public.users
ALTER TABLE users ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;
