-- After closed.sql: what tells whether tables were maintained, and what it left. $1: their oids. A table that is gone has no size.
SELECT c.oid,
       COALESCE(pg_catalog.pg_stat_get_vacuum_count(c.oid), 0) + COALESCE(pg_catalog.pg_stat_get_analyze_count(c.oid), 0) AS done,
       COALESCE(pg_catalog.pg_stat_get_dead_tuples(c.oid), 0) AS dead,
       CASE WHEN c.oid IN (SELECT relation FROM closed) THEN NULL
            ELSE pg_catalog.pg_total_relation_size(c.oid) END AS size
FROM pg_catalog.pg_class c
WHERE c.oid = ANY ($1)
