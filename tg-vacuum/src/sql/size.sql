-- One table with its indexes and TOAST, in bytes; NULL when it is gone. $1: its oid.
SELECT pg_catalog.pg_total_relation_size($1::pg_catalog.oid::pg_catalog.regclass)
