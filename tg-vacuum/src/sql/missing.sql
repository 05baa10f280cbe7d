-- Tables that have rows and lack statistics that ANALYZE would make: of a column, of an index's expression, of the partitions together, or
-- extended ones. The rules are those of vacuumdb --missing-stats-only (18, `src/bin/scripts/vacuuming.c`), by views that every role may
-- read, so that they hold from 12 on. $1: whether a parent's children are left out, as from 18 on. $2: not of expressions, of which there
-- are none where no row is in the index, however often they are asked for.
SELECT c.oid,
       -- Whether the views show this role what there is.
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid) AS seen
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p')
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^pg_'
  -- Of no rows there are no statistics, however often they are asked for.
  AND (c.reltuples <> 0 OR pg_catalog.pg_stat_get_live_tuples(c.oid) > 0)
  AND (EXISTS (
        SELECT FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND COALESCE(a.attstattarget, -1) <> 0 AND a.attgenerated <> 'v'
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_stats s
              WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
                AND s.inherited = (c.relkind = 'p')))
    OR NOT $2 AND EXISTS (
        SELECT FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relkind = 'i'
        JOIN pg_catalog.pg_attribute a ON a.attrelid = x.oid
        WHERE i.indrelid = c.oid AND i.indexprs IS NOT NULL AND i.indkey[a.attnum - 1] = 0
          AND COALESCE(a.attstattarget, -1) <> 0
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_stats s
              WHERE s.schemaname = n.nspname AND s.tablename = x.relname AND s.attname = a.attname))
    OR EXISTS (
        SELECT FROM pg_catalog.pg_statistic_ext e
        JOIN pg_catalog.pg_namespace en ON en.oid = e.stxnamespace
        WHERE e.stxrelid = c.oid
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_stats_ext s
              WHERE s.statistics_schemaname = en.nspname AND s.statistics_name = e.stxname)))
  -- Before 18 a parent above another is done with it.
  AND (c.relkind <> 'p' OR $1 OR NOT c.relispartition)
