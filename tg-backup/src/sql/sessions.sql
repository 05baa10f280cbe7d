-- Who is in a database. A prepared transaction has no backend, but keeps the database from being
-- copied or renamed all the same.
SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''), coalesce(a.backend_type, '')
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = $1
UNION ALL
SELECT NULL, p.gid, p.owner::text, 'prepared transaction'
FROM pg_catalog.pg_prepared_xacts AS p
WHERE p.database = $1
ORDER BY 1
