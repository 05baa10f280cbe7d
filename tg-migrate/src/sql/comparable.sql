-- The columns of table $1.$2 that two runs of the same migration must fill alike: without times and identifiers that are drawn, without what has
-- a default that is asked anew for each row, and without references to other tables, whose identifiers may have been drawn. $1 schema, $2 table.
SELECT a.attname
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attidentity = '' AND a.attgenerated = ''
  AND t.typcategory NOT IN ('D', 'T') AND t.typname <> 'uuid'
  AND coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') !~ '\('
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey))
ORDER BY a.attnum
