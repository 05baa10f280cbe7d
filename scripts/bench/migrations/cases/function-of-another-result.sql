-- expect: breaking
DROP FUNCTION total_of(bigint);
CREATE FUNCTION total_of(owner bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT sum(total)::text FROM orders WHERE user_id = owner';
