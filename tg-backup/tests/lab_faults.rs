//! What needs a server to itself: kills at random moments, restarts, a full disk, very many tables.
//! With the lab up, `cargo test -p tg-backup --features lab --test lab_faults`.

mod lab_stack;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lab_stack::{Database, Outcome};

/// One at a time, whatever the harness does.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ok(outcome: &Outcome) {
    assert_eq!(outcome.exit, 0, "{outcome:?}");
}

fn random(below: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    below.mul_f64((random % 1000) as f64 / 1000.0)
}

/// Bytes that don't compress, about so many megabytes of them.
fn noise(megabytes: u32) -> String {
    format!(
        "CREATE EXTENSION IF NOT EXISTS pgcrypto; CREATE TABLE noise (id int PRIMARY KEY, v bytea); \
         INSERT INTO noise SELECT g, gen_random_bytes(1024) FROM generate_series(1, {megabytes} * 1024) AS g"
    )
}

#[test]
fn killed_at_twenty_random_moments_it_leaves_nothing_partial_and_nothing_unproven_that_looks_proven() {
    let _alone = alone();
    let db = &Database::create("kill20", &noise(4));
    let begun = Instant::now();
    ok(&db.tg(&["create", "--verify"]));
    let usual = begun.elapsed();
    let mut seen = 1;
    for _ in 0..20 {
        let at = random(usual);
        db.killed_after(at, &["create", "--verify"]);
        let listed = db.tg(&["list", "--check"]);
        ok(&listed);
        let backups = listed.data["backups"].as_u64().unwrap();
        assert!(backups == seen || backups == seen + 1, "{at:?}: {listed:?}");
        seen = backups;
        for line in listed.stdout.lines().filter(|l| l.contains("\"verified\":true")) {
            assert!(line.contains("\"outcome\":\"verified\""), "{at:?}: {line}");
        }
    }
    // Whatever the last one left goes with the next.
    ok(&db.tg(&["create", "--verify"]));
    let (_, hidden) = db.in_store();
    assert_eq!((hidden, db.left_in_docker()), (vec![], 0));
}

#[test]
fn a_server_that_restarts_meanwhile_is_an_error_and_leaves_nothing() {
    let _alone = alone();
    let db = &Database::create("restart", &noise(48));
    let begun = Instant::now();
    ok(&db.tg(&["create"]));
    let usual = begun.elapsed();
    for part in [0.35, 0.5, 0.65] {
        let child = db.start(&["create"]);
        std::thread::sleep(usual.mul_f64(part));
        db.compose(&["restart", "-t", "5", "db"]);
        let outcome = Database::outcome(child);
        db.await_server();
        assert!([0, 3, 10].contains(&outcome.exit), "{part}: {outcome:?}");
        let (backups, hidden) = db.in_store();
        let made = usize::from(outcome.exit == 0);
        assert_eq!(hidden, Vec::<String>::new(), "{part}");
        assert_eq!(db.left_in_docker(), 0, "{part}");
        assert!(made == 0 || backups.contains(&outcome.text("id")), "{part}: {outcome:?}");
        ok(&db.tg(&["list", "--check"]));
    }
    ok(&db.tg(&["create", "--verify"]));
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let _alone = alone();
    let db = &Database::create("full", &noise(32));
    let backups = db.path("backups");
    fs::create_dir(&backups).unwrap();
    let mount = |size: &str| {
        let option = format!("size={size}");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(&backups);
        assert!(command.status().unwrap().success());
    };
    let unmount = || assert!(Command::new("umount").arg(&backups).status().unwrap().success());
    mount("1m");
    let refused = db.tg(&["create"]);
    unmount();
    assert_eq!((refused.exit, refused.code()), (3, "no-space".into()), "{refused:?}");
    // Enough to begin with, too little for all of it.
    mount("20m");
    let failed = db.tg(&["create"]);
    let left = fs::read_dir(&backups).unwrap().count();
    unmount();
    assert_eq!((failed.exit, failed.code(), left), (3, "client-failed".into(), 0), "{failed:?}");
    assert!(
        failed.text("error").is_empty()
            && failed.data["error"]["hint"].as_str().unwrap().contains("free disk space")
    );
    assert_eq!(db.left_in_docker(), 0);
    ok(&db.tg(&["create"]));
}

#[test]
fn ten_thousand_small_tables_are_backed_up_proven_and_restored_equal() {
    let _alone = alone();
    let make = "DO $$ BEGIN FOR i IN 1..10000 LOOP \
        EXECUTE format('CREATE TABLE t%s (id int, v text)', i); \
        EXECUTE format('INSERT INTO t%s VALUES (1, ''x''), (%s, NULL)', i, i); \
        IF i % 200 = 0 THEN COMMIT; END IF; END LOOP; END $$";
    let db = &Database::create("many", make);
    let made = db.tg(&["create", "--verify"]);
    ok(&made);
    assert_eq!((&made.data["tables"], &made.data["rows"]), (&10_000.into(), &20_000.into()));
    assert!(made.stdout.contains("\"code\":\"locks\""), "the server has few locks: {:?}", made.data);
    let restored = db.tg(&["restore", &made.text("id")]);
    ok(&restored);
    assert_eq!(db.sql("SELECT sum(id), count(*) FROM t9999"), "10000|2");
    ok(&db.tg(&["commit"]));
}

#[test]
fn whoever_would_change_a_table_meanwhile_is_told_of() {
    let _alone = alone();
    // Long enough to be looked at: the watch looks once a second.
    let long = "CREATE UNLOGGED TABLE noise AS SELECT g AS id, repeat('x', 300) AS v FROM generate_series(1, 3000000) AS g";
    let db = &Database::create("waits", long);
    let child = db.start(&["create"]);
    while db.sql("SELECT count(*) FROM pg_stat_progress_copy WHERE datname = current_database()") == "0" {}
    let mut changer = db.session("ALTER TABLE noise ADD w int");
    let made = Database::outcome(child);
    changer.wait().unwrap();
    ok(&made);
    assert!(made.stdout.contains("\"code\":\"holding-up\""), "{made:?}");
    ok(&db.tg(&["verify"]));
}
