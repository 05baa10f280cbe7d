-- In which databases clients at these addresses are. An address is told to members of pg_read_all_stats only.
SELECT DISTINCT s.datname::text
FROM pg_catalog.pg_stat_activity AS s
WHERE s.datname IS NOT NULL AND pg_catalog.host(s.client_addr) = ANY ($1::text[])
ORDER BY 1
