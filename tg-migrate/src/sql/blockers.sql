-- Who would hold a migration up, or be held up by it, now. One row each: code, pid, age in seconds, user, application, what it does, sentence.
-- $1: how old a transaction must be, seconds. Autovacuum gives way, but for the one that prevents wraparound.
WITH session AS (
    SELECT a.*, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.xact_start)::bigint AS age,
           pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.state_change)::bigint AS idle
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid() AND a.xact_start IS NOT NULL
)
SELECT 'dump-running', pid, age, usename::text, application_name, pg_catalog.left(query, 200),
       'a dump holds every table, and whoever comes would wait behind the migration that waits for it'
FROM session WHERE application_name IN ('pg_dump', 'tg-backup') OR (backend_type = 'client backend' AND query ~* '^\s*COPY .* TO stdout')
UNION ALL
SELECT 'idle-in-transaction', pid, age, usename::text, application_name, pg_catalog.left(query, 200),
       'it keeps its locks and does nothing'
FROM session WHERE state LIKE 'idle in transaction%' AND idle >= $1 AND application_name NOT IN ('pg_dump', 'tg-backup')
UNION ALL
SELECT 'long-transaction', pid, age, usename::text, application_name, pg_catalog.left(query, 200),
       'a concurrent index waits for it, and so does whatever wants a table that it has read'
FROM session WHERE state = 'active' AND age >= $1 AND backend_type = 'client backend' AND application_name NOT IN ('pg_dump', 'tg-backup')
UNION ALL
SELECT 'wraparound-vacuum', pid, age, NULL, application_name, pg_catalog.left(query, 200), 'it does not give way'
FROM session WHERE backend_type = 'autovacuum worker' AND query LIKE '%to prevent wraparound%'
UNION ALL
SELECT 'prepared-transaction', NULL, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - prepared)::bigint, owner::text, NULL, gid,
       'it keeps its locks until it is committed or rolled back by name'
FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()
UNION ALL
SELECT 'migrator-running', l.pid, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.backend_start)::bigint, a.usename::text,
       a.application_name, pg_catalog.left(a.query, 200), k.tool || ' is at work'
FROM pg_catalog.pg_locks AS l
JOIN (VALUES
    -- Each by the number that its sources give it; Flyway's with a hash added, those of SQLx and Rails times a checksum of the database's name.
    ('Prisma', 72707369::bigint, 72707369::bigint, 1::bigint), ('node-pg-migrate', 7241865325823964, 7241865325823964, 1),
    ('Kysely', 3853314791062309107, 3853314791062309107, 1), ('Sqitch', 75474063, 75474063, 1),
    ('Flyway', 77431708279161 - 2147483648, 77431708279161 + 2147483647, 1),
    ('SQLx', 1026731422, 1026731422 * 4294967295, 1026731422), ('Rails', 2053462845, 2053462845 * 4294967295, 2053462845)
) AS k (tool, least, most, times)
    ON l.locktype = 'advisory' AND l.objsubid = 1 AND ((l.classid::bigint << 32) | l.objid::bigint) BETWEEN k.least AND k.most
    AND ((l.classid::bigint << 32) | l.objid::bigint) % k.times = 0
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
