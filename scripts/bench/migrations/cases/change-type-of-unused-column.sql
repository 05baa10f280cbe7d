-- expect: compatible
-- rewrites: public.archive
ALTER TABLE archive ALTER COLUMN id TYPE bigint;
