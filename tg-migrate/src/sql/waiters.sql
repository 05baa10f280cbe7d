-- Sessions that wait for a lock behind one of these ($1): for how long (ms), on what, and what they would do. pg_blocking_pids()
-- holds up the lock manager for a moment, so it is asked of those that wait and of nobody else. Before PostgreSQL 14 nobody knows since when.
SELECT a.pid, a.application_name, pg_catalog.left(a.query, 200), l.relation::int8, l.mode,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - (pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz) * 1000
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_stat_activity AS a USING (pid)
WHERE NOT l.granted AND a.pid <> ALL ($1) AND pg_catalog.pg_blocking_pids(a.pid) && $1
