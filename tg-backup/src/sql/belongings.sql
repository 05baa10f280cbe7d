-- What belongs to a database by its oid and not by its name or its content: it stays with the database when that
-- changes its name, and goes when that is dropped. Of pg_subscription only columns that everybody may read.
SELECT 'slot', s.slot_name::text, pg_catalog.jsonb_build_object(
    'plugin', s.plugin, 'active', s.active, 'confirmed_flush_lsn', s.confirmed_flush_lsn::text,
    'restart_lsn', s.restart_lsn::text)::text
FROM pg_catalog.pg_replication_slots AS s
WHERE s.database = $1 AND NOT s.temporary
UNION ALL
SELECT 'subscription', s.subname::text, pg_catalog.jsonb_build_object(
    'enabled', s.subenabled, 'slot_name', s.subslotname, 'publications', s.subpublications)::text
FROM pg_catalog.pg_subscription AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid
WHERE d.datname = $1
UNION ALL
SELECT 'security-label', l.provider, pg_catalog.jsonb_build_object('label', l.label)::text
FROM pg_catalog.pg_shseclabel AS l
JOIN pg_catalog.pg_database AS d ON d.oid = l.objoid
WHERE l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.datname = $1
UNION ALL
SELECT 'template-flag', d.datname::text, '{}'
FROM pg_catalog.pg_database AS d
WHERE d.datname = $1 AND d.datistemplate
ORDER BY 1, 2
