//! Indexes that are built anew: run with the lab up, `cargo test -p tg-vacuum --features lab --test reindex`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use server::Database;

const BLOATED: &str = "\
CREATE TABLE t (id int, pad text) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT g, repeat('x', 80) FROM generate_series(1, 300000) AS g;
CREATE INDEX \"T id\" ON t (id);
CREATE INDEX tight ON t (pad);
DELETE FROM t WHERE id % 10 <> 0;
VACUUM (ANALYZE) t;
REINDEX INDEX tight";

const INVALID: &str = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";

fn create(short: &str) -> Database {
    let db = Database::create(short, BLOATED);
    db.sql("CREATE EXTENSION pgstattuple");
    db
}

/// Somebody who looked at the table, and whose snapshot a new index has to wait for.
fn person(db: &Database) -> postgres::Client {
    let mut client = db.client();
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t").unwrap();
    client
}

/// Leaves a half built index behind, as a cancelled REINDEX CONCURRENTLY does.
fn leave_one(db: &Database) {
    let person = person(db);
    let mut client = db.client();
    client.batch_execute("SET statement_timeout = '1s'").unwrap();
    assert!(client.batch_execute("REINDEX INDEX CONCURRENTLY \"T id\"").is_err(), "it waits for the person");
    drop(person);
    assert_eq!(db.one::<i64>(INVALID), 1);
}

#[test]
fn what_is_bloated_by_measure_is_built_anew_and_what_is_tight_is_left() {
    let db = create("bloated");
    let dry = db.vacuum(&["reindex", "--dry-run"]);
    assert_eq!(
        (dry.exit, dry.records().len(), &dry.records()[0]["index"]),
        (0, 1, &"T id".into()),
        "{dry:?}"
    );
    let ran = db.vacuum(&["reindex"]);
    assert_eq!((ran.exit, &ran.result()["done"]), (0, &1.into()), "{ran:?}");
    let record = ran.records()[0];
    let (before, after) = (record["size_before"].as_i64().unwrap(), record["size_after"].as_i64().unwrap());
    assert!(after * 5 < before, "{record}");
    assert_eq!(db.one::<i64>(INVALID), 0);
    let again = db.vacuum(&["reindex"]);
    assert_eq!((again.exit, &again.result()["indexes"]), (0, &0.into()), "{again:?}");
}

#[test]
fn what_is_only_estimated_is_told_and_left() {
    let db = Database::create("estimated", BLOATED);
    let ran = db.vacuum(&["reindex"]);
    assert_eq!((ran.exit, &ran.result()["indexes"]), (0, &0.into()), "{ran:?}");
    assert!(ran.warned("unconfirmed"), "{ran:?}");
}

#[test]
fn leftovers_go_and_invalid_ones_are_repaired() {
    let db = create("leftover");
    leave_one(&db);
    db.sql("CREATE TABLE twice AS SELECT g % 5 AS id FROM generate_series(1, 10) AS g");
    assert!(db.client().batch_execute("CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id)").is_err());
    let ran = db.vacuum(&["reindex", "--only-invalid"]);
    let done = |index: &str| ran.records().into_iter().find(|record| record["index"] == index).unwrap();
    assert_eq!(done("T id_ccnew")["work"], "drop-leftover", "{ran:?}");
    // It can't be unique, and says so; nothing half built is left of the attempt.
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(done("twice_id")["failed"].as_str().unwrap().contains("duplicate"), "{ran:?}");
    assert_eq!(db.one::<i64>(INVALID), 1, "the one that was there");
    db.sql("DELETE FROM twice WHERE ctid NOT IN (SELECT min(ctid) FROM twice GROUP BY id)");
    let ran = db.vacuum(&["reindex", "--only-invalid"]);
    assert_eq!((ran.exit, db.one::<i64>(INVALID)), (0, 0), "{ran:?}");
}

#[test]
fn a_build_that_has_to_wait_too_long_is_given_up_and_cleaned_up() {
    let db = create("waits");
    let person = person(&db);
    let ran = db.vacuum(&["reindex", "--lock-timeout", "1s"]);
    assert_eq!(ran.exit, 1, "{ran:?}");
    // What was half built can't go while the person reads: it is told, and the next run removes it.
    let left: i64 = db.one(INVALID);
    assert!(left == 0 || ran.warned("leftover"), "{ran:?}");
    drop(person);
    let ran = db.vacuum(&["reindex"]);
    assert_eq!((ran.exit, db.one::<i64>(INVALID)), (0, 0), "{ran:?}");
}

#[test]
fn killed_in_the_middle_the_next_run_removes_what_it_left() {
    let db = create("killed");
    let person = person(&db);
    let mut child = db.start(&["reindex"]);
    db.until("SELECT count(*) > 0 FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE 'waiting%'");
    child.kill().unwrap();
    child.wait().unwrap();
    db.until("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'tg-vacuum' AND datname = current_database()");
    drop(person);
    assert_eq!(db.one::<i64>(INVALID), 1, "it was in the middle");
    assert!(db.vacuum(&["report"]).records().iter().any(|record| record["findings"][0] == "leftover"));
    let ran = db.vacuum(&["reindex"]);
    assert_eq!((ran.exit, db.one::<i64>(INVALID)), (0, 0), "{ran:?}");
    assert_eq!(ran.result()["done"], 2, "the leftover, and the index: {ran:?}");
}

#[test]
fn what_does_not_fit_into_the_time_is_left() {
    let db = create("budget");
    let ran = db.vacuum(&["reindex", "--budget", "1ms"]);
    assert_eq!(
        (ran.exit, &ran.result()["left"], &ran.result()["changed"]),
        (1, &1.into(), &false.into()),
        "{ran:?}"
    );
    assert_eq!(db.one::<i64>(INVALID), 0);
}

#[test]
fn a_bloated_table_is_written_anew_by_pg_repack_where_it_is_installed() {
    let db = create("repack");
    let plan = db.vacuum(&["repack", "--plan"]);
    let record = plan.records()[0];
    assert_eq!((plan.exit, &record["table"], &record["fits"]), (0, &"t".into(), &true.into()), "{plan:?}");
    assert_eq!(record["ways"].as_array().unwrap().last().unwrap()["way"], "vacuum-full");
    let refused = db.vacuum(&["repack"]);
    assert_eq!((refused.exit, &refused.result()["error"]["code"]), (6, &"no-repack".into()), "{refused:?}");
    db.sql("CREATE EXTENSION pg_repack");
    let left = db.vacuum(&["repack"]);
    assert_eq!((left.exit, &left.result()["done"]), (1, &0.into()), "pg_repack succeeds: {left:?}");
    assert!(left.table("t")["failed"].as_str().unwrap().contains("primary key"), "{left:?}");
    db.sql("ALTER TABLE t ADD PRIMARY KEY (id)");
    let rows: i64 = db.one("SELECT sum(hashtext(t::text)::int8)::int8 FROM t");
    let ran = db.vacuum(&["repack"]);
    assert_eq!((ran.exit, &ran.result()["done"]), (0, &1.into()), "{ran:?}");
    assert!(ran.result()["freed_bytes"].as_i64().unwrap() > 20 << 20, "{ran:?}");
    assert_eq!(db.one::<i64>("SELECT sum(hashtext(t::text)::int8)::int8 FROM t"), rows);
    assert_eq!(db.vacuum(&["repack"]).result()["tables"], 0);
}
