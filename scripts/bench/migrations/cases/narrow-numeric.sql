-- expect: breaking
-- rewrites: public.orders
ALTER TABLE orders ALTER COLUMN total TYPE numeric(5, 2);
