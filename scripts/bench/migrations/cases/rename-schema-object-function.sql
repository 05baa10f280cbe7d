-- expect: breaking
ALTER FUNCTION total_of(bigint) RENAME TO sum_of;
