-- A session's own manners. $1: lock_timeout, in ms with unit.
-- The empty search path makes every name mean what its qualification says.
SELECT pg_catalog.pg_backend_pid() AS pid,
       pg_catalog.set_config('lock_timeout', $1, false),
       pg_catalog.set_config('search_path', '', false),
       -- Nobody's default may cut a long vacuum short.
       pg_catalog.set_config('statement_timeout', '0', false),
       -- Compiling a query over many tables' catalogs takes longer than running it.
       pg_catalog.set_config('jit', 'off', false),
       pg_catalog.set_config('default_transaction_read_only', 'off', false)
