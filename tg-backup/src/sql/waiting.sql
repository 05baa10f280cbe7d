-- Who waits for a lock that one of our sessions holds, and how many wait behind them in turn.
SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''), coalesce(a.backend_type, ''),
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS b
        WHERE a.pid = ANY (pg_catalog.pg_blocking_pids(b.pid)))
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database() AND a.wait_event_type = 'Lock' AND EXISTS (
    SELECT FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS blocker
    JOIN pg_catalog.pg_stat_activity AS ours ON ours.pid = blocker
    WHERE ours.application_name = $1)
ORDER BY a.pid
