-- Which tables the dump is reading, and how many rows of each it has by now. pg_stat_progress_copy
-- came with 14.
SELECT p.relid, p.tuples_processed, coalesce(c.reltuples, 0)::bigint
FROM pg_catalog.pg_stat_progress_copy AS p
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = p.relid
WHERE a.datname = pg_catalog.current_database() AND a.application_name = $1
