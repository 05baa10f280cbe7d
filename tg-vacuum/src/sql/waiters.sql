-- Who waits for a lock behind one of our processes ($1). Locks are seen by every role; who waits, by those that may.
SELECT l.pid, blocker,
       COALESCE(a.usename::pg_catalog.text, '?') AS "user",
       COALESCE(a.application_name, '') AS application,
       COALESCE(pg_catalog.left(a.query, 200), '') AS query
FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted AND pid IS NOT NULL AND NOT pid = ANY ($1)) AS l
CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(l.pid)) AS blocker
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE blocker = ANY ($1)
