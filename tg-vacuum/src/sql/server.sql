-- What kind of server this is.
SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version,
       pg_catalog.pg_is_in_recovery() AS standby
