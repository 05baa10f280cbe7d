-- Indexes that no query has used since the counters began, and that guard nothing.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-INDEXES-VIEW
SELECT pg_catalog.format('%I.%I', s.schemaname, s.indexrelname) AS name,
       pg_catalog.pg_relation_size(s.indexrelid) AS bytes
  FROM pg_catalog.pg_stat_user_indexes s
  JOIN pg_catalog.pg_index i ON i.indexrelid = s.indexrelid
 WHERE s.idx_scan = 0 AND NOT i.indisunique AND NOT i.indisexclusion
 ORDER BY 2 DESC
 LIMIT $1
