-- The database and its server: size, connections, and what pg_stat_database counts since its reset.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-DATABASE-VIEW
SELECT pg_catalog.pg_database_size(d.oid) AS bytes,
       pg_catalog.current_setting('max_connections')::bigint AS most,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND state = 'active') AS active,
       pg_catalog.age(d.datfrozenxid)::bigint AS frozen_age,
       s.deadlocks, s.temp_bytes, s.conflicts,
       CASE WHEN s.blks_hit + s.blks_read > 0 THEN s.blks_hit::float8 / (s.blks_hit + s.blks_read) END AS cache_hits,
       (SELECT pg_catalog.max(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - xact_start))
          FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()) AS oldest_s,
       pg_catalog.pg_is_in_recovery() AS standby,
       pg_catalog.to_regclass('pg_stat_statements') IS NOT NULL AS has_statements,
       pg_catalog.current_setting('server_version') AS version
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
 WHERE d.datname = pg_catalog.current_database()
