-- Sessions of a migrator ($1: its application_name, $2: the addresses that its container had) that are still there.
SELECT pid FROM pg_catalog.pg_stat_get_activity(NULL)
WHERE pid <> pg_catalog.pg_backend_pid() AND (application_name = $1 OR client_addr = ANY ($2::text[]::inet[]))
