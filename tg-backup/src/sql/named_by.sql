-- Settings that could name this database: those that the server shows, and those of roles and databases, which it does not
-- show before a library has defined them.
SELECT s.name, s.setting
FROM pg_catalog.pg_settings AS s
WHERE s.name LIKE '%.%' AND pg_catalog.strpos(s.setting, pg_catalog.current_database()) > 0
UNION
SELECT pg_catalog.split_part(entry, '=', 1), pg_catalog.substr(entry, pg_catalog.strpos(entry, '=') + 1)
FROM pg_catalog.pg_db_role_setting AS r, pg_catalog.unnest(r.setconfig) AS entry
WHERE r.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()))
    AND pg_catalog.strpos(entry, '.') BETWEEN 2 AND pg_catalog.strpos(entry, '=')
ORDER BY 1, 2
