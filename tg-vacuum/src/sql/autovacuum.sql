-- When autovacuum comes to a table that has no settings of its own; -1: there is no upper bound (before 18).
SELECT pg_catalog.current_setting('autovacuum')::pg_catalog.bool AND pg_catalog.current_setting('track_counts')::pg_catalog.bool AS enabled,
       pg_catalog.current_setting('autovacuum_vacuum_threshold')::pg_catalog.float8 AS threshold,
       pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::pg_catalog.float8 AS scale,
       COALESCE(pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true), '-1')::pg_catalog.float8 AS most
