-- What a role ($1) has asked a database ($2), and how often: the statements that read or write rows. Ours name pg_catalog.
SELECT s.query, pg_catalog.sum(s.calls)::bigint
FROM pg_stat_statements AS s
WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = $2)
  AND s.userid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1)
  AND s.query ~* '^\s*(select|insert|update|delete|merge|with|values|table)\y' AND s.query !~* 'pg_catalog\.|pg_stat_|tg_trace'
GROUP BY s.query
ORDER BY 2 DESC
