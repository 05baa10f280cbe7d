-- The databases of the server that somebody may keep data in, and the one of this name in any case. The size is told to who may connect or read statistics.
SELECT d.datname::text, d.datallowconn, pg_catalog.shobj_description(d.oid, 'pg_database'),
    CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')
            OR pg_catalog.pg_has_role('pg_read_all_stats', 'MEMBER')
        THEN pg_catalog.pg_database_size(d.oid) END
FROM pg_catalog.pg_database AS d
WHERE NOT d.datistemplate OR d.datname = $1
ORDER BY 4 DESC NULLS FIRST, 1
