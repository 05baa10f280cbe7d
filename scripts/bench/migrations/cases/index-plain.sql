-- expect: compatible
-- locks: Share public.orders
CREATE INDEX orders_state ON orders (state);
