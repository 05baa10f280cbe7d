-- After closed.sql: what tells whether tables were maintained, and what it left. $1: their oids. $2: an age that
-- TOAST without a page may have. A table that is gone has no row, and indexes are left out of its size: a vacuum makes none smaller.
SELECT c.oid,
       COALESCE(pg_catalog.pg_stat_get_vacuum_count(c.oid), 0) AS vacuums,
       COALESCE(pg_catalog.pg_stat_get_analyze_count(c.oid), 0) AS analyses,
       CASE WHEN t.oid IS NOT NULL THEN COALESCE(pg_catalog.pg_stat_get_vacuum_count(t.oid), 0) END AS toast_vacuums,
       -- 0: it has no transaction ids of its own.
       c.relfrozenxid::pg_catalog.text::pg_catalog.int8 AS frozen,
       t.relfrozenxid::pg_catalog.text::pg_catalog.int8 AS toast_frozen,
       COALESCE(pg_catalog.pg_stat_get_dead_tuples(c.oid), 0) AS dead,
       CASE WHEN c.oid IN (SELECT relation FROM closed) THEN NULL
            ELSE pg_catalog.pg_relation_size(c.oid) + COALESCE(pg_catalog.pg_relation_size(t.oid), 0) END AS size,
       -- Whether a vacuum has anything to do in its TOAST: pages, or old transactions.
       CASE WHEN t.oid IS NULL THEN false
            WHEN c.oid IN (SELECT relation FROM closed) THEN true
            ELSE COALESCE(pg_catalog.pg_relation_size(t.oid) > 0
                          OR GREATEST(pg_catalog.age(t.relfrozenxid), pg_catalog.mxid_age(t.relminmxid)) > $2, true)
       END AS toast,
       d.reset,
       d.next
FROM pg_catalog.pg_class c
CROSS JOIN (
    SELECT pg_catalog.date_part('epoch', pg_catalog.pg_stat_get_db_stat_reset_time(oid)) AS reset,
           pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) AS next
    FROM pg_catalog.pg_database
    WHERE datname = pg_catalog.current_database()
) d
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
WHERE c.oid = ANY ($1)
