-- What a migration does, told by the server of a rehearsal itself: each command that changes the schema, with the locks that its
-- transaction has by then, each table that is written anew, and each object that is dropped. RAISE LOG survives a ROLLBACK.
-- A pause at the beginning of a command is for whoever wants to kill the migrator there: sequences don't roll back.
CREATE SCHEMA tg_trace;
CREATE SEQUENCE tg_trace.command;
CREATE TABLE tg_trace.pause (at bigint);

CREATE FUNCTION tg_trace.begins() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    n bigint := nextval('tg_trace.command');
BEGIN
    RAISE LOG 'tg-trace %', json_build_object('event', 'begins', 'n', n, 'tag', tg_tag, 'query', left(current_query(), 2000));
    IF EXISTS (SELECT FROM tg_trace.pause WHERE at = n) THEN
        PERFORM pg_sleep(3600);
    END IF;
END $$;

CREATE FUNCTION tg_trace.ends() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    RAISE LOG 'tg-trace %', json_build_object('event', 'ends', 'tag', tg_tag, 'lock_timeout', current_setting('lock_timeout'),
        'objects', (SELECT json_agg(json_build_object('type', object_type, 'name', object_identity)) FROM pg_event_trigger_ddl_commands()),
        'locks', (SELECT json_agg(json_build_object('relation', relation::bigint, 'mode', replace(mode, 'Lock', '')))
            FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND relation >= 16384
              AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')));
END $$;

CREATE FUNCTION tg_trace.rewrites() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    RAISE LOG 'tg-trace %', json_build_object('event', 'rewrites', 'relation', pg_event_trigger_table_rewrite_oid()::bigint,
        'bytes', pg_total_relation_size(pg_event_trigger_table_rewrite_oid()));
END $$;

CREATE FUNCTION tg_trace.drops() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    RAISE LOG 'tg-trace %', json_build_object('event', 'drops',
        'objects', (SELECT json_agg(json_build_object('type', object_type, 'name', object_identity)) FROM pg_event_trigger_dropped_objects()
            WHERE original AND NOT is_temporary));
END $$;

CREATE EVENT TRIGGER tg_trace_begins ON ddl_command_start EXECUTE FUNCTION tg_trace.begins();
CREATE EVENT TRIGGER tg_trace_ends ON ddl_command_end EXECUTE FUNCTION tg_trace.ends();
CREATE EVENT TRIGGER tg_trace_rewrites ON table_rewrite EXECUTE FUNCTION tg_trace.rewrites();
CREATE EVENT TRIGGER tg_trace_drops ON sql_drop EXECUTE FUNCTION tg_trace.drops();
