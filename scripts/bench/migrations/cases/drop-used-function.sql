-- expect: breaking
DROP FUNCTION total_of(bigint);
