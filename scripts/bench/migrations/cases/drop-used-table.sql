-- expect: breaking
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;
DROP VIEW admins;
DROP TABLE users;
