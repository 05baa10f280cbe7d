-- expect: compatible
CREATE OR REPLACE FUNCTION total_of(owner bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT coalesce(sum(total), 0.0) FROM orders WHERE user_id = owner';
