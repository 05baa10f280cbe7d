-- expect: compatible
-- locks: ShareRowExclusive public.orders
CREATE TABLE invoices (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders (id));
