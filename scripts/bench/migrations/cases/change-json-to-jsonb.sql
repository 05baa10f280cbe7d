-- expect: breaking
-- rewrites: public.orders
ALTER TABLE orders ALTER COLUMN meta TYPE jsonb;
