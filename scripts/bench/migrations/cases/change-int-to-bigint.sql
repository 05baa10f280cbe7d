-- expect: breaking
-- rewrites: public.users
DROP VIEW admins;
ALTER TABLE users ALTER COLUMN age TYPE bigint;
CREATE VIEW admins AS SELECT id, email FROM users WHERE role = 'admin';
