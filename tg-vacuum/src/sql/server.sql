-- What kind of server this is, and whether it counts what this session's role does.
SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version,
       pg_catalog.pg_is_in_recovery() AS standby,
       pg_catalog.current_setting('track_counts')::pg_catalog.bool AS counts
