-- What somebody holds or wants in ACCESS EXCLUSIVE mode, and whose size would be waited for: asking opens a table and its indexes.
-- The beginning of a query.
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
