-- A database's own properties, which pg_dump leaves out, as one JSON document. to_jsonb() reads the
-- columns whose names changed between PostgreSQL 14, 15 and 17.
SELECT pg_catalog.jsonb_build_object(
    'name', d.datname,
    'oid', d.oid::bigint,
    'owner', pg_catalog.pg_get_userbyid(d.datdba),
    'encoding', pg_catalog.pg_encoding_to_char(d.encoding),
    'collate', d.datcollate,
    'ctype', d.datctype,
    'provider', pg_catalog.to_jsonb(d) ->> 'datlocprovider',
    'locale', coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale'),
    'icu_rules', pg_catalog.to_jsonb(d) ->> 'daticurules',
    'collation_version', pg_catalog.to_jsonb(d) ->> 'datcollversion',
    'tablespace', t.spcname,
    'connection_limit', d.datconnlimit,
    'comment', pg_catalog.shobj_description(d.oid, 'pg_database'),
    'size_bytes', pg_catalog.pg_database_size(d.oid),
    'server_version', pg_catalog.current_setting('server_version'),
    'server_version_num', pg_catalog.current_setting('server_version_num')::int,
    'bootstrap_role', (SELECT r.rolname FROM pg_catalog.pg_roles AS r WHERE r.oid = 10),
    'preload_libraries', coalesce((SELECT s.setting FROM pg_catalog.pg_settings AS s WHERE s.name = 'shared_preload_libraries'), ''),
    'system', (SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() AS c),
    'timeline', CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN (
        SELECT ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::bigint) END,
    'is_template', d.datistemplate,
    -- What can change the meaning of a value or the result of a function, and the settings of libraries and of the
    -- application, as far as the server's own configuration says them.
    'server_settings', (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', s.name, 'value', s.setting) ORDER BY s.name), '[]')
        FROM pg_catalog.pg_settings AS s
        WHERE s.source IN ('configuration file', 'command line', 'environment variable')
            AND (s.name LIKE '%.%' OR s.context IN ('user', 'superuser')
                AND (s.category LIKE 'Client Connection Defaults%' OR s.category LIKE 'Version and Platform Compatibility%'))
            AND s.name NOT LIKE '%\_timeout'
            AND s.name NOT IN ('default_tablespace', 'temp_tablespaces', 'default_transaction_read_only', 'lc_messages')),
    'settings', (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'role', CASE WHEN s.setrole <> 0 THEN pg_catalog.pg_get_userbyid(s.setrole) END,
            'name', pg_catalog.split_part(entry, '=', 1),
            'value', pg_catalog.substr(entry, pg_catalog.strpos(entry, '=') + 1))), '[]')
        FROM pg_catalog.pg_db_role_setting AS s, pg_catalog.unnest(s.setconfig) AS entry
        WHERE s.setdatabase = d.oid),
    'grants', CASE WHEN d.datacl IS NOT NULL THEN (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'role', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
            'privilege', a.privilege_type,
            'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(d.datacl) AS a) END
)::text
FROM pg_catalog.pg_database AS d
JOIN pg_catalog.pg_tablespace AS t ON t.oid = d.dattablespace
WHERE d.datname = $1
