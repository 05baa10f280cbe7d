-- The columns of tables and of indexes ($1: their oids) in the order in which they are stored: how each is aligned, and how wide it is
-- on average, by the statistics that this role may see. A column without statistics has no width.
SELECT a.attrelid AS oid,
       a.attnum AS number,
       a.attlen AS length,
       a.attalign::pg_catalog.text AS alignment,
       s.avg_width AS width,
       s.null_frac AS nulls,
       s.n_distinct AS "distinct"
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stats s
       ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
WHERE a.attrelid = ANY ($1)
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
