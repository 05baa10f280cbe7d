//! Statements that do only a part of their work: run with the lab up, `cargo test -p tg-vacuum --features lab --test halves`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use server::{Database, Ran};

/// Its index is on an expression that fails while it is analysed, once there is a row for it.
const FAILS: &str = "\
CREATE FUNCTION careful(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF current_setting('application_name') = 'tg-vacuum' THEN RAISE division_by_zero; END IF; RETURN i; END $$;
CREATE TABLE fails (id int) WITH (autovacuum_enabled = off);
CREATE INDEX ON fails (careful(id));
INSERT INTO fails SELECT generate_series(1, 100);
DELETE FROM fails WHERE id > 50;
CREATE TABLE sound WITH (autovacuum_enabled = off) AS SELECT 1 AS id";

/// The answer is no, and the result and a warning name the table and what is missing.
/// Waits inside the server, so that a busy host is not too late: for a vacuum that has begun to read, then for its table.
const TAKE_MEANWHILE: &str = "BEGIN; DO $$ BEGIN
    FOR n IN 1..6000 LOOP
        EXIT WHEN EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE datname = current_database() AND heap_blks_scanned > 0);
        PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
    END LOOP;
END $$; LOCK TABLE t IN ACCESS EXCLUSIVE MODE";

fn is_partial(ran: &Ran, table: &str, missing: &str) {
    assert_eq!((ran.exit, &ran.result()["partial"]), (1, &1.into()), "{ran:?}");
    let named = &ran.result()["partial_tables"][0];
    assert_eq!(named["table"], format!("public.{table}"), "{ran:?}");
    assert!(named["missing"].as_str().unwrap().contains(missing), "{ran:?}");
    assert!(ran.warned("partial") && ran.msg().contains(missing), "{ran:?}");
    assert!(ran.table(table)["partial"].as_str().unwrap().contains(missing), "{ran:?}");
}

#[test]
fn a_table_whose_analysis_fails_was_vacuumed_and_is_not_counted_as_analysed() {
    let db = Database::create("analysis", FAILS);
    for words in [&[][..], &["--tables", "fails"][..]] {
        let ran = db.vacuum(words);
        is_partial(&ran, "fails", "division_by_zero");
        let record = ran.table("fails");
        assert_eq!((&record["vacuumed"], &record["analyzed"]), (&true.into(), &false.into()), "{ran:?}");
        assert_eq!(ran.result()["changed"], true);
    }
    assert_eq!(db.vacuum(&["--tables", "sound"]).exit, 0);
    assert_eq!(db.one::<i64>("SELECT pg_stat_get_analyze_count('fails'::regclass)"), 0);
    assert_eq!(db.one::<i64>("SELECT pg_stat_get_vacuum_count('sound'::regclass)"), 2);
}

#[test]
fn statistics_that_the_server_could_not_make_are_missing() {
    let db = Database::create(
        "extended",
        "CREATE TABLE t (a int, b int) WITH (autovacuum_enabled = off);\n\
         INSERT INTO t SELECT g, g FROM generate_series(1, 100) AS g;\n\
         CREATE STATISTICS together ON a, b FROM t;\n\
         ALTER TABLE t ALTER a SET STATISTICS 0",
    );
    for words in [&[][..], &["--analyze-only"][..]] {
        let ran = db.vacuum(words);
        is_partial(&ran, "t", "could not be computed");
        assert_eq!(ran.table("t")["analyzed"], false, "{ran:?}");
    }
}

#[test]
fn toast_that_another_session_holds_is_not_vacuumed_and_is_named() {
    let db = Database::create(
        "toast_held",
        "CREATE TABLE t (id int, pad text) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);\n\
         ALTER TABLE t ALTER pad SET STORAGE EXTERNAL;\n\
         INSERT INTO t SELECT g, repeat('x', 9000) FROM generate_series(1, 2000) AS g;\n\
         DELETE FROM t WHERE id % 2 = 0",
    );
    let toast: String = db.one("SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 't'");
    let mut holder = db.client();
    holder.batch_execute("SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1").unwrap();
    let stop = holder.cancel_token();
    std::thread::scope(|scope| {
        let busy = scope.spawn(move || holder.batch_execute(&format!("VACUUM {toast}")));
        db.until("SELECT count(*) = 1 FROM pg_stat_progress_vacuum WHERE datname = current_database()");
        let ran = db.vacuum(&[]);
        stop.cancel_query(postgres::NoTls).unwrap();
        assert!(busy.join().unwrap().is_err(), "it held the TOAST all the time");
        is_partial(&ran, "t", "TOAST");
        let record = ran.table("t");
        assert_eq!((&record["vacuumed"], &record["analyzed"]), (&false.into(), &true.into()), "{ran:?}");
    });
    let ran = db.vacuum(&[]);
    assert_eq!((ran.exit, &ran.table("t")["vacuumed"]), (0, &true.into()), "{ran:?}");
}

#[test]
fn indexes_that_a_table_s_own_setting_leaves_alone_are_told() {
    let db = Database::create(
        "indexes",
        "CREATE TABLE t (id int PRIMARY KEY) WITH (autovacuum_enabled = off, vacuum_index_cleanup = off);\n\
         INSERT INTO t SELECT generate_series(1, 10000);\nDELETE FROM t WHERE id % 2 = 0",
    );
    is_partial(&db.vacuum(&[]), "t", "index scan bypassed");
    db.sql("ALTER TABLE t RESET (vacuum_index_cleanup)");
    assert_eq!(db.vacuum(&[]).exit, 0);
}

#[test]
fn rows_that_somebody_keeps_from_being_frozen_are_told() {
    let db = Database::create("frozen", "CREATE TABLE t (id int) WITH (autovacuum_enabled = off)");
    let mut person = db.client();
    person.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t").unwrap();
    db.sql("INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2)");
    let ran = db.vacuum(&["--freeze"]);
    is_partial(&ran, "t", "not frozen");
    is_partial(&ran, "t", "idle in transaction");
    assert_eq!((&ran.table("t")["vacuumed"], &ran.table("t")["frozen"]), (&true.into(), &false.into()));
    drop(person);
    db.until("SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()");
    let ran = db.vacuum(&["--freeze"]);
    assert_eq!((ran.exit, &ran.table("t")["frozen"]), (0, &true.into()), "{ran:?}");
}

#[test]
fn what_is_not_counted_is_known_by_the_server_s_words() {
    let db = Database::create("uncounted", FAILS);
    db.sql(&format!("ALTER DATABASE {} SET track_counts = off", db.name));
    let role = format!("quiet_{}", std::process::id());
    // Who may not switch it on for itself.
    db.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'quiet';\nALTER TABLE fails OWNER TO {role};\nALTER TABLE sound OWNER TO {role}"
    ));
    db.be(&role, "quiet");
    let ran = db.vacuum(&[]);
    let analysed = db.vacuum(&["--analyze-only", "--tables", "sound"]);
    db.sql(&format!("REASSIGN OWNED BY {role} TO terragnos;\nDROP OWNED BY {role};\nDROP ROLE {role}"));
    is_partial(&ran, "fails", "division_by_zero");
    let sound = ran.table("sound");
    assert_eq!((&sound["vacuumed"], &sound["analyzed"]), (&true.into(), &true.into()), "{ran:?}");
    assert_eq!((analysed.exit, &analysed.table("sound")["analyzed"]), (0, &true.into()), "{analysed:?}");
}

#[test]
fn statistics_that_nobody_can_see_are_not_said_to_be_made() {
    let db = Database::create("unseen", "CREATE TABLE t WITH (autovacuum_enabled = off) AS SELECT 1 AS id");
    let role = format!("blind_{}", std::process::id());
    db.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'blind';\nALTER TABLE t OWNER TO {role};\nREVOKE SELECT ON t FROM {role}"
    ));
    db.be(&role, "blind");
    let ran = db.vacuum(&["analyze", "--missing"]);
    db.sql(&format!("GRANT SELECT ON t TO {role}"));
    let seen = db.vacuum(&["analyze", "--missing"]);
    db.sql(&format!("REASSIGN OWNED BY {role} TO terragnos;\nDROP OWNED BY {role};\nDROP ROLE {role}"));
    assert_eq!((ran.exit, &ran.result()["partial"]), (1, &1.into()), "{ran:?}");
    assert!(ran.msg().contains("may not read"), "{}", ran.msg());
    assert_eq!((seen.exit, &seen.result()["tables"]), (0, &0.into()), "they were made: {seen:?}");
}

#[test]
fn an_index_without_a_row_has_no_statistics_and_none_are_missing_after_an_analysis() {
    let db = Database::create(
        "empty_index",
        "CREATE TABLE t WITH (autovacuum_enabled = off) AS SELECT 1 AS id;\nCREATE INDEX ON t ((id + 1)) WHERE id > 9",
    );
    let ran = db.vacuum(&["analyze", "--missing"]);
    assert_eq!((ran.exit, &ran.result()["analyzed"]), (0, &1.into()), "{ran:?}");
}

#[test]
fn where_everything_was_passed_over_the_answer_is_no() {
    let db = Database::create("passed_over", "CREATE TABLE t AS SELECT 1 AS id");
    let mut person = db.client();
    person.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE").unwrap();
    let ran = db.vacuum(&[]);
    assert_eq!((ran.exit, &ran.result()["skipped"]), (1, &1.into()), "{ran:?}");
    assert_eq!((&ran.table("t")["vacuumed"], &ran.table("t")["analyzed"]), (&false.into(), &false.into()));
}

#[test]
fn a_table_that_another_session_takes_between_its_vacuum_and_its_analysis_is_named_with_the_server_s_words() {
    let db = Database::create(
        "taken",
        "CREATE TABLE t (id int, pad text) WITH (autovacuum_enabled = off);\n\
         INSERT INTO t SELECT g, repeat('x', 80) FROM generate_series(1, 100000) AS g;\n\
         DELETE FROM t WHERE id % 3 = 0",
    );
    // Nobody is made way for, so the other session gets in as soon as the vacuum lets go.
    let mut person = db.client();
    let taking = std::thread::spawn(move || person.batch_execute(TAKE_MEANWHILE).map(|()| person));
    let ran = Database::end(db.start(&["--gentle", "--lock-timeout", "10m"]));
    drop(taking.join().unwrap().unwrap());
    is_partial(&ran, "t", "skipping analyze of \"t\" --- lock not available");
    assert_eq!((&ran.table("t")["vacuumed"], &ran.table("t")["analyzed"]), (&true.into(), &false.into()));
    assert_eq!(db.vacuum(&[]).exit, 0);
}
