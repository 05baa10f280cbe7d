-- The statements that took most of the time; only where the extension is there.
-- https://www.postgresql.org/docs/current/pgstatstatements.html
SELECT s.calls, s.total_exec_time AS total_ms, s.mean_exec_time AS mean_ms, s.max_exec_time AS max_ms, s.rows,
       pg_catalog.left(pg_catalog.regexp_replace(s.query, '\s+', ' ', 'g'), 200) AS query
  FROM pg_stat_statements s
 WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
 ORDER BY s.total_exec_time DESC
 LIMIT $1
