-- Where each sequence of the database stands, as far as the role may see it. A value that was drawn is not given back when its
-- transaction is rolled back.
SELECT n.nspname::text, c.relname::text, pg_catalog.pg_sequence_last_value(c.oid)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT, USAGE')
