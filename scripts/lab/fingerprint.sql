-- Contents and shape of every user table, one line each, so that two states of a database can be compared with diff.
-- Rows are hashed one by one and summed, so their physical order doesn't matter; columns are taken in name order.
-- What an extension brought (spatial_ref_sys and the like) is not the application's data.
\pset tuples_only on
\pset format unaligned
\pset fieldsep ' '
SET TimeZone = 'UTC';
SET search_path = pg_catalog, public;

SELECT format(
  'SELECT %L, count(*), coalesce(sum(hashtextextended(ROW(%s)::text, 0)::numeric), 0) FROM %I.%I AS t',
  n.nspname || '.' || c.relname,
  (SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attname COLLATE "C")
   FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  n.nspname, c.relname)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND n.nspname NOT LIKE 'pg\_temp\_%'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
\gexec

WITH tables AS (
  SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm', 'v')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND n.nspname NOT LIKE 'pg\_temp\_%'
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), parts AS (
  SELECT format('%s.%I %s %s %s', t.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(f.adbin, f.adrelid)) AS part
  FROM tables AS t
  JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
  UNION ALL
  SELECT pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid FROM tables AS t JOIN pg_index AS i ON i.indrelid = t.oid
  UNION ALL
  SELECT format('%s %I %s', t.name, k.conname, pg_get_constraintdef(k.oid))
  FROM tables AS t JOIN pg_constraint AS k ON k.conrelid = t.oid
)
SELECT 'schema', count(*), md5(string_agg(part, E'\n' ORDER BY part COLLATE "C")) FROM parts;
