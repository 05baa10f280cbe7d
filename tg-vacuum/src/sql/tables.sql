-- What there is to maintain: tables, materialised views and the parents of partitions, the worst
-- first, with the statistics of now. $1: partitioned parents below another one too.
--
-- A size is asked only of what nobody holds or wants in ACCESS EXCLUSIVE mode: asking opens the
-- table and its indexes, and would wait behind that lock.
WITH locked AS MATERIALIZED (
    SELECT relation
    FROM pg_catalog.pg_locks
    WHERE locktype = 'relation'
      AND mode = 'AccessExclusiveLock'
      AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
), closed AS MATERIALIZED (
    SELECT relation FROM locked
    UNION
    SELECT i.indrelid FROM pg_catalog.pg_index i JOIN locked l ON l.relation = i.indexrelid
    UNION
    SELECT c.oid FROM pg_catalog.pg_class c JOIN locked l ON l.relation = c.reltoastrelid
)
SELECT c.oid,
       n.nspname::pg_catalog.text AS schema,
       c.relname::pg_catalog.text AS name,
       c.relkind = 'p' AS parent,
       COALESCE(pg_catalog.pg_stat_get_dead_tuples(c.oid), 0) AS dead,
       CASE WHEN c.oid IN (SELECT relation FROM closed) THEN NULL
            ELSE pg_catalog.pg_total_relation_size(c.oid) END AS size
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'p')
  -- A temporary table belongs to another session; no one else can vacuum it.
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^pg_'
  AND (c.relkind <> 'p' OR $1 OR NOT c.relispartition)
ORDER BY c.relkind = 'p', dead DESC, schema, name
