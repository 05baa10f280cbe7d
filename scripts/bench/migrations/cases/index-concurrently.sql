-- expect: compatible
-- transaction: no
-- convergent: no
CREATE INDEX CONCURRENTLY orders_state ON orders (state);
