//! Who holds dead rows: run with the lab up, `cargo test -p tg-vacuum --features lab --test horizon`. A standby and a slot
//! hold those of every database, so one test at a time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

use server::Database;

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session that has looked at the database and does nothing since.
fn idle(db: &Database) -> postgres::Client {
    let mut client = db.client();
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    client
}

/// The run says no and who is to blame; once that is gone it says yes, and the rows are gone too.
fn is_held_until_gone(db: &Database, kind: &str, id: &str, gone: impl FnOnce()) {
    db.sql("DELETE FROM t WHERE id % 3 = 1");
    let ran = db.vacuum(&[]);
    assert_eq!(ran.exit, 1, "{ran:?}");
    let holder = &ran.result()["held_by"][0];
    assert_eq!((&holder["kind"], &holder["id"]), (&kind.into(), &id.into()), "{ran:?}");
    assert!(ran.msg().contains("can't be removed because of"), "{}", ran.msg());
    assert!(ran.table("t")["not_removable"].as_i64().unwrap() >= 3000, "{ran:?}");
    let named = db.vacuum(&["blockers", "--older-than", "0s"]);
    assert_eq!(named.exit, 1, "{named:?}");
    let record = named.records().into_iter().find(|r| r["id"] == id).unwrap_or_else(|| panic!("{named:?}"));
    assert_eq!(record["kind"], kind);
    assert!(!record["command"].as_str().unwrap().is_empty());
    gone();
    let ran = db.vacuum(&[]);
    assert_eq!((ran.exit, &ran.table("t")["not_removable"]), (0, &0.into()), "{ran:?}");
    assert_eq!(ran.table("t")["dead_after"], 0, "{ran:?}");
    let named = db.vacuum(&["blockers", "--older-than", "0s"]);
    assert!(named.records().iter().all(|record| record["id"] != id), "{named:?}");
}

const TEN_THOUSAND: &str = "CREATE TABLE t (id int) WITH (autovacuum_enabled = off);\nINSERT INTO t SELECT generate_series(1, 10000)";

#[test]
fn an_idle_transaction_that_holds_dead_rows_is_named_with_its_query() {
    let _alone = alone();
    let db = Database::create("idle", TEN_THOUSAND);
    let mut person = idle(&db);
    let pid: i32 = person.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    is_held_until_gone(&db, "backend", &pid.to_string(), || drop(person));
}

#[test]
fn a_prepared_transaction_that_holds_dead_rows_is_named() {
    let _alone = alone();
    let db = Database::create("prepared", TEN_THOUSAND);
    let gid = format!("it's {}", db.name);
    let quoted = gid.replace('\'', "''");
    db.client()
        .batch_execute(&format!("BEGIN; INSERT INTO t VALUES (0); PREPARE TRANSACTION '{quoted}'"))
        .unwrap();
    is_held_until_gone(&db, "prepared transaction", &gid, || {
        db.client().batch_execute(&format!("ROLLBACK PREPARED '{quoted}'")).unwrap();
    });
}

#[test]
fn a_standby_that_sends_feedback_and_the_slot_it_leaves_behind_are_named() {
    let _alone = alone();
    let db = Database::create("standby", TEN_THOUSAND);
    let slot = format!("slot_{}", std::process::id());
    let standby = db.standby(None);
    let mut reader = standby.client(&db.name);
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t").unwrap();
    db.until("SELECT bool_or(backend_xmin IS NOT NULL) FROM pg_stat_replication");
    let name = standby.name.clone();
    is_held_until_gone(&db, "standby", &name, || drop((reader, standby)));
    db.until("SELECT count(*) = 0 FROM pg_stat_replication");
    db.sql(&format!("INSERT INTO t SELECT generate_series(1, 10000);\nSELECT pg_create_physical_replication_slot('{slot}')"));
    let standby = db.standby(Some(&slot));
    let mut reader = standby.client(&db.name);
    reader.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t").unwrap();
    db.until(&format!("SELECT xmin IS NOT NULL FROM pg_replication_slots WHERE slot_name = '{slot}'"));
    // It goes, and its slot stays.
    drop((reader, standby));
    db.until(&format!("SELECT NOT active FROM pg_replication_slots WHERE slot_name = '{slot}'"));
    is_held_until_gone(&db, "slot", &slot, || {
        db.sql(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    });
}
