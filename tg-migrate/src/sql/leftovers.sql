-- What an earlier migration has left half-done: code, object, sentence.
SELECT 'invalid-index', i.indexrelid::pg_catalog.regclass::text, 'a build of it did not end; IF NOT EXISTS passes over it'
FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname !~ '^pg_' AND c.relkind = 'i'
  -- One that is being built now is not left.
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks AS l WHERE l.relation = i.indexrelid AND l.granted)
UNION ALL
SELECT 'unvalidated-constraint', pg_catalog.format('%s on %s', k.conname, k.conrelid::pg_catalog.regclass), 'rows from before it were never checked'
FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_namespace AS n ON n.oid = k.connamespace
WHERE NOT k.convalidated AND n.nspname !~ '^pg_'
