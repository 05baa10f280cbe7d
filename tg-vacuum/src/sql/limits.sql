-- This session's own manners. $1: lock_timeout, $2: statement_timeout, both in ms with unit.
-- The empty search path makes every name mean what its qualification says.
SELECT pg_catalog.set_config('lock_timeout', $1, false),
       pg_catalog.set_config('statement_timeout', $2, false),
       pg_catalog.set_config('search_path', '', false)
