-- Who keeps dead rows of this database from being removed: every snapshot and every transaction that vacuum must respect, with the
-- number of transactions since ("age"), the oldest first. Sources: pg_stat_activity, pg_prepared_xacts, pg_replication_slots,
-- pg_stat_replication; what a vacuum itself holds is not respected by others (PROC_IN_VACUUM).
SELECT * FROM (
    SELECT 'backend'::pg_catalog.text AS kind,
           a.pid::pg_catalog.text AS id,
           a.pid,
           GREATEST(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid))::pg_catalog.int8 AS age,
           COALESCE(a.backend_xmin, a.backend_xid)::pg_catalog.text AS horizon,
           pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - COALESCE(a.xact_start, a.backend_start)) AS age_s,
           a.datname::pg_catalog.text AS database,
           a.usename::pg_catalog.text AS "user",
           a.application_name::pg_catalog.text AS application,
           COALESCE(a.client_addr::pg_catalog.text, 'local') AS client,
           a.state::pg_catalog.text AS state,
           pg_catalog.left(a.query, 300) AS query,
           NULL::pg_catalog.bool AS active
    FROM pg_catalog.pg_stat_activity a
    LEFT JOIN pg_catalog.pg_stat_progress_vacuum v ON v.pid = a.pid
    WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
      AND a.datname = pg_catalog.current_database()
      AND a.pid <> pg_catalog.pg_backend_pid()
      AND a.backend_type IN ('client backend', 'background worker', 'parallel worker', 'autovacuum worker')
      AND v.pid IS NULL
    UNION ALL
    SELECT 'prepared transaction', p.gid, NULL,
           pg_catalog.age(p.transaction)::pg_catalog.int8, p.transaction::pg_catalog.text,
           pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.prepared),
           p.database::pg_catalog.text, p.owner::pg_catalog.text, NULL, NULL, 'prepared', NULL, NULL
    FROM pg_catalog.pg_prepared_xacts p
    WHERE p.database = pg_catalog.current_database()
    UNION ALL
    -- A slot holds all databases. What only catalog_xmin holds are dead rows of the system catalogs.
    SELECT CASE WHEN s.xmin IS NULL THEN 'slot (catalog)' ELSE 'slot' END,
           s.slot_name::pg_catalog.text, s.active_pid,
           pg_catalog.age(COALESCE(s.xmin, s.catalog_xmin))::pg_catalog.int8,
           COALESCE(s.xmin, s.catalog_xmin)::pg_catalog.text,
           NULL, s.database::pg_catalog.text, r.usename::pg_catalog.text, r.application_name::pg_catalog.text,
           r.client_addr::pg_catalog.text, s.slot_type, NULL, s.active
    FROM pg_catalog.pg_replication_slots s
    LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
    WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
    UNION ALL
    -- A standby with hot_standby_feedback and without a slot.
    SELECT 'standby', COALESCE(NULLIF(r.application_name, ''), r.client_addr::pg_catalog.text, 'local'), r.pid,
           pg_catalog.age(r.backend_xmin)::pg_catalog.int8, r.backend_xmin::pg_catalog.text,
           NULL, NULL, r.usename::pg_catalog.text, r.application_name::pg_catalog.text,
           COALESCE(r.client_addr::pg_catalog.text, 'local'), r.state::pg_catalog.text, NULL, NULL
    FROM pg_catalog.pg_stat_replication r
    LEFT JOIN pg_catalog.pg_replication_slots s ON s.active_pid = r.pid AND s.xmin IS NOT NULL
    WHERE r.backend_xmin IS NOT NULL AND s.slot_name IS NULL
) AS holders
ORDER BY age DESC, kind, id
