-- The largest tables with their indexes and TOAST. https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-DBSIZE
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
       pg_catalog.pg_total_relation_size(c.oid) AS bytes,
       s.n_live_tup AS rows, s.n_dead_tup AS dead
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_stat_user_tables s ON s.relid = c.oid
 ORDER BY 2 DESC
 LIMIT $1
