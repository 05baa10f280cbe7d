-- The role with which tg does everything but restore and rehearse. Run it as a superuser, in the application's database:
--
--   psql -v owner=ROLE -f role.sql DATABASE
--
-- ROLE owns the application's tables. Then give the role a password without writing it into a command: \password tg
\set ON_ERROR_STOP on
-- A rollback point is a copy of the database inside its server.
CREATE ROLE tg LOGIN NOSUPERUSER NOCREATEROLE NOREPLICATION CREATEDB;
-- What goes on: sessions, statements, locks, replication, settings, sizes.
GRANT pg_monitor TO tg;
-- A migrator that holds others up is cancelled; sessions of superusers can't be.
GRANT pg_signal_backend TO tg;
-- Backups read everything.
GRANT pg_read_all_data TO tg;
-- VACUUM, ANALYZE, REINDEX, and the copy of a database, are for the owner of what they are about.
GRANT :"owner" TO tg;
