-- The file of each table and index of the application; those that are mapped have none of their own.
SELECT c.oid, pg_catalog.format('%s.%s', n.nspname, c.relname), c.relfilenode
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'i') AND c.relfilenode <> 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
