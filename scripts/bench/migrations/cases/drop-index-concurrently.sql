-- expect: compatible
-- transaction: no
DROP INDEX CONCURRENTLY IF EXISTS orders_user;
