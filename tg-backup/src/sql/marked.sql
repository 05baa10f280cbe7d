-- Databases whose names begin as ours do, with the mark that we may have put on them.
SELECT d.oid, d.datname::text, d.datallowconn, pg_catalog.shobj_description(d.oid, 'pg_database'),
    CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')
        THEN pg_catalog.pg_database_size(d.oid) ELSE 0 END
FROM pg_catalog.pg_database AS d
WHERE d.datname ~ '^tg_(point|new|old)_[0-9]{14}_'
ORDER BY d.datname
