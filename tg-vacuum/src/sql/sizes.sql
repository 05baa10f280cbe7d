-- After closed.sql: bytes of relations ($1: their oids): their own, of their indexes, and of their TOAST.
SELECT c.oid,
       pg_catalog.pg_relation_size(c.oid) AS own,
       pg_catalog.pg_indexes_size(c.oid) AS indexes,
       pg_catalog.pg_total_relation_size(c.oid) AS total
FROM pg_catalog.pg_class c
WHERE c.oid = ANY ($1)
  AND c.oid NOT IN (SELECT relation FROM closed)
