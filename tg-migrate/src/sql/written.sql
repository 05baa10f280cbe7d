-- Rows inserted, updated and deleted in each table since the statistics were last reset; large objects are rows of the catalog.
SELECT schemaname::text, relname::text, n_tup_ins, n_tup_upd, n_tup_del
FROM pg_catalog.pg_stat_all_tables
WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema' OR relid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
