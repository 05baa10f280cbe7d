-- How to count the rows of a table in which a stored generated column is not what its expression gives. As texts, since not
-- every type has an equality; the expression names columns of its own table alone.
SELECT a.attname::text,
    pg_catalog.format('pg_catalog.count(*) FILTER (WHERE (t.%I)::text COLLATE "C" IS DISTINCT FROM (%s)::text COLLATE "C")',
        a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1 AND a.attgenerated = 's' AND NOT a.attisdropped
ORDER BY a.attnum
