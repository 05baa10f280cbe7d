-- expect: breaking
DROP INDEX orders_ticket;
