-- The WAL on disk, and whether it is archived. https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-GENFILE
SELECT (SELECT pg_catalog.sum(size)::bigint FROM pg_catalog.pg_ls_waldir()) AS bytes,
       a.archived_count AS archived, a.failed_count AS failed,
       a.last_failed_time > coalesce(a.last_archived_time, '-infinity') AS failing
  FROM pg_catalog.pg_stat_archiver a
