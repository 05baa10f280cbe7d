-- One table's statistics: what tells whether maintenance was done, and what it left. $1: its oid.
SELECT pg_catalog.pg_stat_get_vacuum_count($1) + pg_catalog.pg_stat_get_analyze_count($1) AS done,
       pg_catalog.pg_stat_get_dead_tuples($1) AS dead
