-- Every user table, materialised view and partitioned parent with what the catalogs and the statistics say of it. No sizes: asking
-- for one opens the relation, which waits for who holds it, and takes longer than all of this for many tables.
SELECT c.oid,
       n.nspname::pg_catalog.text AS schema,
       c.relname::pg_catalog.text AS name,
       c.relkind = 'p' AS parent,
       c.relpages::pg_catalog.int8 AS pages,
       c.reltuples::pg_catalog.float8 AS rows,
       COALESCE(pg_catalog.pg_stat_get_live_tuples(c.oid), 0) AS live,
       COALESCE(pg_catalog.pg_stat_get_dead_tuples(c.oid), 0) AS dead,
       COALESCE(pg_catalog.pg_stat_get_mod_since_analyze(c.oid), 0) AS changed,
       COALESCE(pg_catalog.pg_stat_get_tuples_inserted(c.oid), 0)
         + COALESCE(pg_catalog.pg_stat_get_tuples_updated(c.oid), 0)
         + COALESCE(pg_catalog.pg_stat_get_tuples_deleted(c.oid), 0) AS written,
       pg_catalog.pg_stat_get_last_vacuum_time(c.oid) AS last_vacuum,
       pg_catalog.pg_stat_get_last_autovacuum_time(c.oid) AS last_autovacuum,
       pg_catalog.pg_stat_get_last_analyze_time(c.oid) AS last_analyze,
       pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid) AS last_autoanalyze,
       GREATEST(CASE WHEN c.relfrozenxid <> '0'::pg_catalog.xid THEN pg_catalog.age(c.relfrozenxid) END,
                CASE WHEN t.relfrozenxid <> '0'::pg_catalog.xid THEN pg_catalog.age(t.relfrozenxid) END,
                0)::pg_catalog.int8 AS freeze_age,
       c.reloptions AS options,
       -- Partitioned parents: autovacuum never makes their statistics.
       c.relkind = 'p' AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_statistic s WHERE s.starelid = c.oid AND s.stainherit) AS without_statistics
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
WHERE c.relkind IN ('r', 'm', 'p')
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^pg_'
