-- Our migrator's sessions ($1: its application_name, $2: the addresses of its container): what each does, what it waits for, the locks on tables
-- and indexes that it has or wants, and whether anybody else wants what they have. It is asked many times a second: each of the server's two
-- lists is read once, and the second without the names that its view looks up.
WITH activity AS MATERIALIZED (
    SELECT pid, application_name, state, wait_event_type, wait_event, query, backend_xid, client_addr
    FROM pg_catalog.pg_stat_get_activity(NULL)
    WHERE datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND pid <> pg_catalog.pg_backend_pid()
), ours AS MATERIALIZED (
    SELECT * FROM activity WHERE application_name = $1 OR client_addr = ANY ($2::text[]::inet[])
), lock AS MATERIALIZED (
    SELECT l.*, EXISTS (SELECT FROM ours AS o WHERE o.pid = l.pid) AS ours FROM pg_catalog.pg_locks AS l
)
SELECT o.pid, o.application_name, o.state, o.wait_event_type, o.wait_event, pg_catalog.left(o.query, 200), o.backend_xid::text::bigint,
       -- Sessions of other databases have locks with the same numbers.
       (SELECT pg_catalog.array_agg(pg_catalog.format('%s %s %s', l.relation, l.granted, l.mode)) FROM lock AS l
        WHERE l.pid = o.pid AND l.locktype = 'relation' AND l.relation >= 16384),
       EXISTS (SELECT FROM lock AS l WHERE l.pid = o.pid AND NOT l.granted AND l.locktype NOT IN ('virtualxid', 'transactionid', 'advisory')),
       EXISTS (SELECT FROM lock AS wanted JOIN lock AS had ON had.ours AND had.locktype = wanted.locktype
               AND (had.database, had.relation, had.page, had.tuple, had.transactionid, had.virtualxid, had.classid, had.objid, had.objsubid)
                   IS NOT DISTINCT FROM
                   (wanted.database, wanted.relation, wanted.page, wanted.tuple, wanted.transactionid, wanted.virtualxid, wanted.classid, wanted.objid, wanted.objsubid)
               WHERE NOT wanted.granted AND NOT wanted.ours)
FROM ours AS o
