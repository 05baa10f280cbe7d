-- This database as a whole. The number of the next transaction is read, not taken (pg_snapshot_xmax, 13 and later; before, txid_snapshot_xmax).
SELECT GREATEST(pg_catalog.age(d.datfrozenxid), 0)::pg_catalog.int8 AS freeze_age,
       -- By the catalog: pg_database_size looks at each file, of which many tables have very many.
       (SELECT pg_catalog.sum(c.relpages)::pg_catalog.int8 * pg_catalog.current_setting('block_size')::pg_catalog.int8
        FROM pg_catalog.pg_class c) AS size,
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - s.stats_reset) AS reset_s,
       -- Where they were never reset, they are at least as old as the server's start.
       pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - COALESCE(s.stats_reset, pg_catalog.pg_postmaster_start_time())) AS counted_s,
       pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) AS xid
FROM pg_catalog.pg_database d
LEFT JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
WHERE d.datname = pg_catalog.current_database()
