-- Settings of libraries and of the application that the server's own configuration says, those too that no view shows since
-- no library has defined them. For superusers. A setting of the command line comes before one of a file.
WITH opts AS (
    SELECT (pg_catalog.regexp_matches(pg_catalog.pg_read_file('postmaster.opts'),
        '"(?:-c"\s+"|-c|--)([A-Za-z_][A-Za-z0-9_$-]*\.[^="]+)=', 'g'))[1] AS name
)
SELECT f.name, pg_catalog.max(f.setting)
FROM pg_catalog.pg_file_settings AS f
WHERE f.applied AND f.name LIKE '%.%' AND f.name NOT IN (SELECT o.name FROM opts AS o)
GROUP BY f.name
UNION
SELECT o.name, pg_catalog.current_setting(o.name, true)
FROM opts AS o
WHERE pg_catalog.current_setting(o.name, true) IS NOT NULL
ORDER BY 1
