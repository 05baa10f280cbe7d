-- Standbys and slots, with the bytes of WAL that each is behind or holds back.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW
SELECT 'standby' AS kind, application_name AS name, state = 'streaming' AS active,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn)::bigint AS bytes
  FROM pg_catalog.pg_stat_replication
UNION ALL
SELECT 'slot', slot_name::text, active,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::bigint
  FROM pg_catalog.pg_replication_slots
