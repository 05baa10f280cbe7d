-- What a dump of this database would not hold, or could not bring back.
SELECT 'extension-missing', e.extname::text,
    'extension ' || e.extname || ' is not among the files of this server: the backup can''t be restored with its image'
FROM pg_catalog.pg_extension AS e
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions AS a WHERE a.name = e.extname)
UNION ALL
SELECT 'extension-version', e.extname::text,
    'extension ' || e.extname || ' is at ' || e.extversion || ', a restored one would be at ' || a.default_version
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_available_extensions AS a ON a.name = e.extname AND a.default_version <> e.extversion
UNION ALL
SELECT 'foreign-rows', f.ftrelid::pg_catalog.regclass::text,
    'the rows of foreign table ' || f.ftrelid::pg_catalog.regclass || ' are elsewhere and not in the backup'
FROM pg_catalog.pg_foreign_table AS f
UNION ALL
SELECT 'invalid-index', i.indexrelid::pg_catalog.regclass::text,
    'index ' || i.indexrelid::pg_catalog.regclass || ' is invalid, and an invalid index is not in the backup'
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i'
UNION ALL
SELECT 'subscription', s.subname::text, 'subscription ' || s.subname || ' comes back disabled'
FROM pg_catalog.pg_subscription AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
UNION ALL
SELECT 'prepared-transaction', p.gid,
    'prepared transaction ' || p.gid || ' of ' || p.owner || ' has not ended: what it did is not in the backup'
FROM pg_catalog.pg_prepared_xacts AS p
WHERE p.database = pg_catalog.current_database()
ORDER BY 1, 2
