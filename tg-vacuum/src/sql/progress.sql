-- How far each vacuum of this database is: pages that were read of all, by process.
SELECT pid, heap_blks_scanned AS scanned, heap_blks_total AS total, phase,
       index_vacuum_count AS passes
FROM pg_catalog.pg_stat_progress_vacuum
WHERE datname = pg_catalog.current_database()
