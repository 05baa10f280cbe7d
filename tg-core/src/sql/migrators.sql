-- Ordinary tables with their columns, sorted, of those that have few enough to be a migrator's: its history, or its lock.
SELECT n.nspname::text, c.relname::text, pg_catalog.array_agg(a.attname::text ORDER BY a.attname COLLATE "C"),
       pg_catalog.array_agg(pg_catalog.format_type(a.atttypid, NULL) ORDER BY a.attname COLLATE "C")
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnatts <= 30 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
GROUP BY n.nspname, c.relname
