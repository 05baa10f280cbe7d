//! A server that dies: run with the lab up and nobody else at its server,
//! `cargo test -p tg-vacuum --features lab --test crash`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::fmt::Write as _;

use server::Database;

#[test]
fn what_was_reported_as_done_is_done_after_a_crash_of_the_server() {
    let mut script = String::new();
    for n in 0..100 {
        writeln!(
            script,
            "CREATE TABLE t{n} WITH (autovacuum_enabled = off) AS SELECT g AS id FROM generate_series(1, 100) AS g;"
        )
        .unwrap();
    }
    let mut db = Database::create("crash", &script);
    // Nobody but us brings the log to disk.
    db.sql("ALTER SYSTEM SET wal_writer_delay = '10s';\nSELECT pg_reload_conf()");
    let ran = db.vacuum(&["--jobs", "2"]);
    db.crash();
    db.sql("ALTER SYSTEM RESET wal_writer_delay;\nSELECT pg_reload_conf()");
    assert_eq!((ran.exit, &ran.result()["done"]), (0, &100.into()), "{ran:?}");
    assert_eq!(db.one::<i64>("SELECT count(*) FROM pg_stats WHERE tablename ~ '^t[0-9]+$'"), 100);
}
