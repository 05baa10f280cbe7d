-- After closed.sql: what there is to maintain, tables, materialised views and the parents of partitions, with the statistics
-- of now, in no order. $1: partitioned parents below another one too. $2: sizes of now; by the catalog otherwise, where it has
-- any, since to open thousands of tables takes longer than all the rest. Indexes and closed tables are taken by the catalog always.
, indexes AS MATERIALIZED (
    SELECT i.indrelid, pg_catalog.sum(x.relpages)::pg_catalog.int8 AS pages
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    GROUP BY i.indrelid
)
SELECT c.oid,
       n.nspname::pg_catalog.text AS schema,
       c.relname::pg_catalog.text AS name,
       c.relkind = 'p' AS parent,
       COALESCE(pg_catalog.pg_stat_get_live_tuples(c.oid), 0) AS live,
       COALESCE(pg_catalog.pg_stat_get_dead_tuples(c.oid), 0) AS dead,
       COALESCE(pg_catalog.pg_stat_get_mod_since_analyze(c.oid), 0) AS changed,
       CASE WHEN c.oid IN (SELECT relation FROM closed) OR (c.relpages <> 0 AND NOT $2)
            THEN GREATEST(c.relpages, 0)::pg_catalog.int8 * b.bytes + COALESCE(t.relpages, 0)::pg_catalog.int8 * b.bytes
            ELSE COALESCE(pg_catalog.pg_relation_size(c.oid), 0) + COALESCE(pg_catalog.pg_relation_size(t.oid), 0)
       END AS size,
       c.relpages::pg_catalog.int8 AS pages,
       GREATEST(c.relpages - c.relallvisible, 0)::pg_catalog.int8 AS unseen_pages,
       COALESCE(i.pages, 0) AS index_pages,
       -- As vacuumdb and autovacuum take it: the older of the table and its TOAST.
       GREATEST(CASE WHEN c.relfrozenxid <> '0'::pg_catalog.xid THEN pg_catalog.age(c.relfrozenxid) END,
                CASE WHEN t.relfrozenxid <> '0'::pg_catalog.xid THEN pg_catalog.age(t.relfrozenxid) END,
                0)::pg_catalog.int8 AS freeze_age,
       pg_catalog.date_part('epoch', GREATEST(pg_catalog.pg_stat_get_last_vacuum_time(c.oid),
                                              pg_catalog.pg_stat_get_last_autovacuum_time(c.oid))) AS vacuumed,
       pg_catalog.date_part('epoch', pg_catalog.pg_stat_get_last_vacuum_time(c.oid)) AS by_statement,
       pg_catalog.date_part('epoch', GREATEST(pg_catalog.pg_stat_get_last_analyze_time(c.oid),
                                              pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid))) AS analyzed
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::pg_catalog.int8 AS bytes) b
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
LEFT JOIN indexes i ON i.indrelid = c.oid
WHERE c.relkind IN ('r', 'm', 'p')
  -- A temporary table belongs to another session; no one else can vacuum it.
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^pg_'
  AND (c.relkind <> 'p' OR $1 OR NOT c.relispartition)
