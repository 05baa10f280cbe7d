-- expect: compatible
-- locks: AccessExclusive public.orders
DROP INDEX orders_user;
