//! Against real servers: run with the lab up, `cargo test -p tg-vacuum --features lab`; `TG_LAB_STACK=.lab/pg15` names another one.
//! Each test has a database of its own and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::time::{Duration, Instant};

use serde_json::Value;
use server::Database;

/// Names that break what does not quote, and every kind of relation that there is. Autovacuum could come first, so it stays away.
const ODD: &str = r#"
CREATE SCHEMA "Sch ema ""q""";
CREATE TABLE "Sch ema ""q"""."Größe '; --" (id int) WITH (autovacuum_enabled = off);
INSERT INTO "Sch ema ""q"""."Größe '; --" SELECT generate_series(1, 5000);
DELETE FROM "Sch ema ""q"""."Größe '; --" WHERE id > 1000;
CREATE TABLE held (id int) WITH (autovacuum_enabled = off);
INSERT INTO held SELECT generate_series(1, 2000);
DELETE FROM held;
CREATE TABLE parent (id int, k int) PARTITION BY LIST (k);
CREATE TABLE "part 1" PARTITION OF parent FOR VALUES IN (1) WITH (autovacuum_enabled = off);
INSERT INTO parent SELECT g, 1 FROM generate_series(1, 500) AS g;
CREATE MATERIALIZED VIEW mv AS SELECT * FROM parent;
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (line text) SERVER files OPTIONS (filename '/etc/hostname');
CREATE VIEW v AS SELECT 1;
"#;

/// A table with dead rows: `rows` of about 100 bytes with an index, of which a part is deleted.
fn bloated(name: &str, rows: u32, keep_each: u32) -> String {
    format!(
        "CREATE TABLE {name} (id int PRIMARY KEY, pad text) WITH (autovacuum_enabled = off);\n\
         INSERT INTO {name} SELECT g, repeat('x', 80) FROM generate_series(1, {rows}) AS g;\n\
         DELETE FROM {name} WHERE id % {keep_each} <> 0;\n"
    )
}

#[test]
fn every_table_is_done_whatever_its_name_and_its_figures_are_told() {
    let db = Database::create("all", ODD);
    let mut temporary = db.client();
    temporary.batch_execute("CREATE TEMP TABLE mine AS SELECT 1").unwrap();
    let ran = db.vacuum(&[]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let odd = ran.table("Größe '; --");
    assert_eq!(
        (&odd["schema"], &odd["dead_before"], &odd["dead_after"]),
        (&"Sch ema \"q\"".into(), &4000.into(), &0.into())
    );
    assert_eq!((&odd["removed"], &odd["not_removable"]), (&4000.into(), &0.into()));
    assert!(odd["pages_scanned"].as_i64().unwrap() > 10 && odd["wal_bytes"].as_i64().unwrap() > 0, "{odd}");
    assert_eq!(ran.records().last().unwrap()["action"], "analyze", "parents of partitions come last");
    let result = ran.result();
    assert_eq!(
        (&result["tables"], &result["vacuumed"], &result["analyzed"]),
        (&5.into(), &4.into(), &1.into())
    );
    // Whoever reads a page of dead rows may clear it away before the vacuum does.
    let removed: i64 = ran.records().iter().map(|record| record["removed"].as_i64().unwrap_or(0)).sum();
    assert!(result["removed"] == removed && removed > 4000, "{result}");
    assert!(db.path("state/history.jsonl").exists());
    // Nothing of it is needed any more.
    let again = db.vacuum(&["--only-needed"]);
    assert_eq!((again.exit, &again.result()["tables"]), (0, &0.into()), "{again:?}");
}

#[test]
fn toast_without_a_page_is_left_alone_and_any_other_is_vacuumed() {
    let made = ["bare", "filled", "emptied"].map(|name| {
        format!(
            "CREATE TABLE {name} (id int, pad text) WITH (autovacuum_enabled = off);\n\
             ALTER TABLE {name} ALTER pad SET STORAGE EXTERNAL;\n\
             INSERT INTO {name} SELECT g, 'x' FROM generate_series(1, 100) AS g;\n"
        )
    });
    let long = |name: &str| format!("UPDATE {name} SET pad = repeat('x', 9000);\n");
    let db = Database::create(
        "toast",
        &(made.concat() + &long("filled") + &long("emptied") + "DELETE FROM emptied"),
    );
    let times = || {
        ["bare", "filled", "emptied"].map(|name| {
            let count = "SELECT pg_stat_get_vacuum_count(reltoastrelid) FROM pg_class WHERE relname =";
            db.one::<i64>(&format!("{count} '{name}'"))
        })
    };
    let ran = db.vacuum(&[]);
    assert_eq!((ran.exit, &ran.result()["vacuumed"]), (0, &3.into()), "{ran:?}");
    assert_eq!(times(), [0, 1, 1]);
    assert!(ran.table("emptied")["removed"].as_i64().unwrap() > 300, "its TOAST's too: {ran:?}");
    assert_eq!(db.vacuum(&["--freeze"]).exit, 0);
    assert_eq!(times(), [1, 2, 2]);
}

#[test]
fn a_table_that_a_person_holds_is_skipped_and_the_rest_is_done_without_waiting() {
    let db = Database::create("held", ODD);
    let mut person = db.client();
    person.batch_execute("BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE").unwrap();
    let ran = db.vacuum(&[]);
    let report = db.vacuum(&["report", "--min-dead", "100"]);
    assert!(ran.took + report.took < Duration::from_secs(5), "nobody waited for the lock");
    assert_eq!((ran.exit, report.exit), (0, 0));
    assert!(ran.table("held")["skipped"].as_str().unwrap().contains("lock"), "{ran:?}");
    assert_eq!((&ran.result()["skipped"], &ran.result()["vacuumed"]), (&1.into(), &3.into()));
    assert_eq!(report.table("held")["size_bytes"], Value::Null);
}

#[test]
fn who_waits_behind_us_does_not_wait_longer_than_the_lock_timeout() {
    let db = Database::create("waits", &bloated("big", 600_000, 3));
    // Slow enough to be in the way: --gentle sleeps.
    let child = db.start(&["--gentle", "--lock-timeout", "1s"]);
    db.until("SELECT count(*) > 0 FROM pg_stat_progress_vacuum WHERE datname = current_database() AND phase = 'scanning heap' AND heap_blks_scanned > 0");
    let mut person = db.client();
    let begun = Instant::now();
    person.batch_execute("BEGIN; ALTER TABLE big ADD COLUMN more int").unwrap();
    let waited = begun.elapsed();
    // What it waited for, it holds for a moment: the second time it is waited for.
    person.batch_execute("SELECT pg_sleep(0.3); COMMIT").unwrap();
    let ran = Database::end(child);
    assert!(waited > Duration::from_millis(300), "it was in the way: {waited:?}");
    assert!(waited < Duration::from_millis(1500), "{waited:?}");
    assert!(ran.warned("made-way"), "{ran:?}");
    assert_eq!(ran.exit, 0, "it came again: {ran:?}");
    assert_eq!(ran.table("big")["dead_after"], 0, "{ran:?}");
}

#[test]
fn a_session_that_a_killed_run_left_is_ended_and_one_that_only_looks_is_not() {
    let db = Database::create("orphans", &bloated("big", 100_000, 3));
    let ours = |settings: &str| {
        let mut client = db.client();
        client.batch_execute(&format!("SET application_name = 'tg-vacuum'; {settings}")).unwrap();
        client
    };
    let mut killed = ours("SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1");
    let mut looking = ours("");
    // Who looks keeps what was there for a transaction that is still open, in another test's database, too.
    let deleted: String = db.one("SELECT pg_current_xact_id()::text");
    db.until(&format!("SELECT pg_snapshot_xmin(pg_current_snapshot()) > '{deleted}'::xid8"));
    std::thread::scope(|scope| {
        let killed = scope.spawn(move || killed.batch_execute("VACUUM big"));
        let looking = scope.spawn(move || looking.batch_execute("SELECT pg_sleep(3)"));
        db.until(
            "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name = 'tg-vacuum' AND wait_event IN ('VacuumDelay', 'PgSleep')",
        );
        let ran = db.vacuum(&[]);
        assert!(ran.warned("orphaned"), "{ran:?}");
        assert!(killed.join().unwrap().is_err());
        assert!(looking.join().unwrap().is_ok());
        assert_eq!((ran.exit, &ran.table("big")["dead_after"]), (0, &0.into()), "{ran:?}");
    });
}

#[test]
fn a_name_that_none_has_changes_nothing_and_the_chosen_are_done_alone() {
    let db = Database::create("chosen", ODD);
    let ran = db.vacuum(&["--tables", "hel"]);
    assert_eq!((ran.exit, &ran.result()["error"]["code"]), (3, &"no-table".into()), "{ran:?}");
    assert!(ran.result()["error"]["hint"].as_str().unwrap().contains("public.held"), "{ran:?}");
    let ran = db.vacuum(&["--schema", "Sch ema \"q\""]);
    assert_eq!((ran.exit, &ran.result()["tables"]), (0, &1.into()), "{ran:?}");
    let report = db.vacuum(&["report"]);
    let lines: Vec<String> = report.lines.iter().map(Value::to_string).collect();
    let ran = db.vacuum_from(&lines.join("\n"), &["--from", "-"]);
    assert_eq!((ran.exit, &ran.result()["tables"]), (0, &1.into()), "only held has dead rows now: {ran:?}");
    assert_eq!(
        db.vacuum_from("", &["--from", "-"]).result()["tables"],
        0,
        "an empty list is not all of them"
    );
    assert_eq!(db.vacuum_from("nonsense", &["--from", "-"]).exit, 2);
}

#[test]
fn what_a_role_may_not_do_is_skipped_and_the_rest_is_done() {
    let db = Database::create("role", ODD);
    let role = format!("weak_{}", std::process::id());
    db.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'weak';\nALTER TABLE held OWNER TO {role};\n"));
    db.be(&role, "weak");
    let ran = db.vacuum(&[]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!((&ran.result()["done"], &ran.result()["skipped"]), (&1.into(), &4.into()), "{ran:?}");
    // Up to 15 it says who may, from 16 on what is missing.
    let why = ran.table("mv")["skipped"].as_str().unwrap();
    assert!(why.contains("owner") || why.contains("permission"), "{ran:?}");
    assert_eq!(ran.table("held")["dead_after"], 0);
    assert!(!ran.warned("unsettled"), "any role can wait for the disk: {ran:?}");
    db.sql(&format!("REASSIGN OWNED BY {role} TO terragnos;\nDROP OWNED BY {role};\nDROP ROLE {role};\n"));
}

#[test]
fn a_table_that_goes_away_meanwhile_does_not_stop_the_others() {
    let tables: String =
        (0..300).fold(String::new(), |all, n| all + &format!("CREATE TABLE t{n} AS SELECT 1 AS id;\n"));
    let db = Database::create("gone", &tables);
    std::thread::scope(|scope| {
        let droppers = scope.spawn(|| {
            let mut client = db.client();
            for n in (0..300).step_by(3) {
                client.batch_execute(&format!("DROP TABLE t{n}")).unwrap();
            }
        });
        let ran = db.vacuum(&["--jobs", "2"]);
        droppers.join().unwrap();
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert_eq!(ran.result()["failed"], 0);
        assert!(ran.result()["done"].as_i64().unwrap() >= 200, "{ran:?}");
    });
}

#[test]
fn a_dry_run_and_a_standby_change_nothing() {
    let db = Database::create("dry", ODD);
    let ran = db.vacuum(&["--dry-run", "--budget", "1h"]);
    assert_eq!((ran.exit, &ran.result()["changed"]), (0, &false.into()));
    assert!(ran.records().iter().all(|record| record["fits"] == true), "{ran:?}");
    assert_eq!(db.vacuum(&["report"]).records().len(), 2, "the dead rows are still there");
    assert!(!db.path("state").exists());
}

#[test]
fn an_interrupt_ends_the_statement_and_nothing_is_broken() {
    let db = Database::create("interrupt", &bloated("big", 400_000, 2));
    let child = db.start(&["--gentle"]);
    db.until("SELECT count(*) > 0 FROM pg_stat_progress_vacuum WHERE datname = current_database() AND heap_blks_scanned > 0");
    let begun = Instant::now();
    let pid = i32::try_from(child.id()).unwrap();
    assert!(std::process::Command::new("kill").args(["-INT", &pid.to_string()]).status().unwrap().success());
    let ran = Database::end(child);
    assert_eq!(ran.exit, 130, "{ran:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(ran.table("big")["cut"], "interrupted");
    // What it had cleaned stays clean.
    assert_eq!(db.vacuum(&[]).table("big")["dead_after"], 0);
}
