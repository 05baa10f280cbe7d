-- How far the indexes are that these sessions ($1) build: blocks where the table is read, tuples where it is sorted.
SELECT pg_catalog.format('building an index on %s: %s', p.relid::pg_catalog.regclass, p.phase),
       CASE WHEN p.tuples_total > 0 THEN p.tuples_done ELSE p.blocks_done END,
       CASE WHEN p.tuples_total > 0 THEN p.tuples_total ELSE p.blocks_total END,
       CASE WHEN p.tuples_total > 0 THEN 'tuples' ELSE 'blocks' END
FROM pg_catalog.pg_stat_progress_create_index AS p
WHERE p.pid = ANY ($1)
