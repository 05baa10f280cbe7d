-- The guide's query: user tables with more dead rows than $1, the worst first; with sizes in bytes,
-- the dead ratio, and when they were last maintained. $2: at most so many rows.
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
), worst AS MATERIALIZED (
    -- Cut before sizes are asked: with many tables they cost more than all the rest.
    SELECT * FROM pg_catalog.pg_stat_user_tables
    WHERE n_dead_tup > $1
    ORDER BY n_dead_tup DESC, schemaname, relname
    LIMIT $2
)
SELECT s.schemaname::pg_catalog.text AS schema,
       s.relname::pg_catalog.text AS name,
       CASE WHEN s.relid IN (SELECT relation FROM closed) THEN NULL
            ELSE pg_catalog.pg_total_relation_size(s.relid) END AS size_bytes,
       s.n_live_tup AS live,
       s.n_dead_tup AS dead,
       pg_catalog.round(s.n_dead_tup::pg_catalog.numeric / NULLIF(s.n_live_tup + s.n_dead_tup, 0), 4)
           ::pg_catalog.float8 AS dead_ratio,
       pg_catalog.to_char(s.last_vacuum AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_vacuum,
       pg_catalog.to_char(s.last_autovacuum AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_autovacuum,
       pg_catalog.to_char(s.last_analyze AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_analyze,
       pg_catalog.to_char(s.last_autoanalyze AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_autoanalyze
FROM worst s
ORDER BY s.n_dead_tup DESC, s.schemaname, s.relname
