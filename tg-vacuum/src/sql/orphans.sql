-- Sessions of this tool, from this very place, that are still at work: the project's lock is ours, so their tool is dead. One that only
-- looks needs no lock.
SELECT pg_catalog.pg_terminate_backend(a.pid)
FROM pg_catalog.pg_stat_activity a
JOIN pg_catalog.pg_stat_activity me ON me.pid = pg_catalog.pg_backend_pid()
WHERE a.application_name = me.application_name
  AND a.usename = me.usename
  AND a.datname = me.datname
  AND a.client_addr IS NOT DISTINCT FROM me.client_addr
  AND a.state = 'active'
  AND a.query ~ '^(VACUUM|ANALYZE|REINDEX|DROP INDEX) '
  AND a.pid <> me.pid
