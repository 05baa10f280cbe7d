-- Rows inserted, updated and deleted in each table since the statistics were last reset.
SELECT schemaname::text, relname::text, n_tup_ins, n_tup_upd, n_tup_del
FROM pg_catalog.pg_stat_user_tables
