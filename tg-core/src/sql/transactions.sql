-- What has become of the transactions that were begun since ($1: the next one then, in 64 bits; $2: how many are looked up at
-- most): the next one now, those that are still open, also prepared ones (pg_locks: each holds a lock on its own number, and
-- everybody may see it), how many were committed, and how many were begun.
WITH now AS (
    SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next
), open AS (
    SELECT transactionid::text::bigint AS low FROM pg_catalog.pg_locks
    WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted AND pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
)
SELECT now.next,
       -- Numbers go round in 32 bits: one that lies less than half the circle behind is a later one.
       (SELECT pg_catalog.count(*) FROM open WHERE ((open.low - $1::bigint) % 4294967296 + 4294967296) % 4294967296 < 2147483648),
       (SELECT pg_catalog.count(*) FROM pg_catalog.generate_series($1::bigint, LEAST(now.next, $1::bigint + $2::bigint) - 1) AS known(xid)
        WHERE pg_catalog.pg_xact_status(known.xid::text::xid8) = 'committed'),
       GREATEST(now.next - $1::bigint, 0)
FROM now
