-- What the role that connects may do to bring the database $1 back by another one that takes its name, and how many more
-- sessions the server lets it have.
SELECT r.rolsuper OR r.rolcreatedb,
    r.rolsuper OR pg_catalog.pg_has_role(d.datdba, 'USAGE'),
    pg_catalog.pg_get_userbyid(d.datdba)::text,
    CASE WHEN r.rolconnlimit < 0 THEN 2147483647 ELSE r.rolconnlimit END - (
        SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.usesysid = r.oid)::int,
    pg_catalog.current_setting('max_connections')::int
        - CASE WHEN r.rolsuper THEN 0 ELSE pg_catalog.current_setting('superuser_reserved_connections')::int END - (
        SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a WHERE a.backend_type = 'client backend')::int,
    host(pg_catalog.inet_client_addr())
FROM pg_catalog.pg_roles AS r, pg_catalog.pg_database AS d
WHERE r.rolname = current_user AND d.datname = $1
