-- Which of our sessions wait, through whoever is in between, for somebody who waits for another session of ours: nobody of
-- them goes on by himself, and the server sees no deadlock, since it does not know that our sessions wait for each other.
-- pg_blocking_pids tells those that stand before in the queue for a lock, too. Not granted locks are everybody's to see.
WITH RECURSIVE ours AS (
    SELECT a.pid FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database() AND a.application_name = $1
),
edges AS (
    SELECT w.pid, b.blocker
    FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks AS l WHERE NOT l.granted) AS w
    CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (blocker)
),
path (waiting, pid) AS (
    SELECT e.pid, e.blocker FROM edges AS e
    WHERE e.pid IN (SELECT o.pid FROM ours AS o) AND e.blocker NOT IN (SELECT o.pid FROM ours AS o)
    UNION
    SELECT p.waiting, e.blocker FROM path AS p JOIN edges AS e ON e.pid = p.pid
    WHERE e.blocker NOT IN (SELECT o.pid FROM ours AS o)
)
SELECT p.waiting, a.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''), coalesce(a.backend_type, ''),
    pg_catalog.array_agg(DISTINCT o.pid)
FROM path AS p
JOIN edges AS e ON e.pid = p.pid
JOIN ours AS o ON o.pid = e.blocker
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid
GROUP BY 1, 2, 3, 4, 5
ORDER BY 2, 1
