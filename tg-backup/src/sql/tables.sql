-- The tables whose rows a dump carries: ordinary tables, unlogged ones and partitions. Of the tables
-- of an extension pg_dump carries only those that it names as configuration, and of these only the
-- rows that fulfil its condition (pg_extension.extconfig, extcondition); so do we. The transaction that
-- wrote the catalog's row tells whether the table's structure has changed since. pg_dump leaves generated columns out.
SELECT c.oid, n.nspname, c.relname, coalesce(config.condition, ''), c.xmin::text, c.relpersistence = 'u',
    d.objid IS NOT NULL, columns.carried, columns.computed
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
LEFT JOIN LATERAL (
    SELECT coalesce(e.extcondition[i], '') AS condition
    FROM pg_catalog.pg_extension AS e, pg_catalog.generate_subscripts(e.extconfig, 1) AS i
    WHERE e.oid = d.refobjid AND e.extconfig[i] = c.oid
) AS config ON true
LEFT JOIN LATERAL (
    SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '') AS carried,
        pg_catalog.array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated <> '') AS computed
    FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) AS columns ON true
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND (d.objid IS NULL OR config.condition IS NOT NULL)
ORDER BY n.nspname, c.relname
