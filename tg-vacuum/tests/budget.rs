//! Windows: run with the lab up, `cargo test -p tg-vacuum --features lab --test budget`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::fmt::Write as _;
use std::time::Duration;

use server::Database;

/// Nobody may be late by more than this.
const LATE: Duration = Duration::from_secs(2);
const WINDOWS: u64 = 50;

/// Tables of many sizes, all with dead rows.
fn tables() -> String {
    let mut script = String::new();
    for n in 0..30 {
        let rows = 100 * (1 + n * n);
        writeln!(
            script,
            "CREATE TABLE t{n} WITH (autovacuum_enabled = off) AS SELECT g AS id, repeat('x', 80) AS pad FROM generate_series(1, {rows}) AS g;\n\
             CREATE INDEX ON t{n} (id);\nDELETE FROM t{n} WHERE id % 3 = 0;"
        )
        .unwrap();
    }
    script
}

fn remaining(db: &Database) -> i64 {
    db.one("SELECT count(*) FROM pg_stat_user_tables WHERE n_dead_tup > 0 AND relname ~ '^t[0-9]+$'")
}

#[test]
fn no_window_is_left_late_and_what_is_left_is_done_in_the_next() {
    let db = Database::create("windows", &tables());
    let mut rng = fastrand::Rng::with_seed(7);
    for window in 0..WINDOWS {
        let budget = Duration::from_millis(rng.u64(100..1500));
        let gentle = rng.bool();
        let text = format!("{}ms", budget.as_millis());
        let mut words = vec!["--budget", &text];
        if gentle {
            words.push("--gentle");
        }
        let ran = db.vacuum(&words);
        assert!(ran.took < budget + LATE, "window {window} of {text}: {:?}", ran.took);
        assert!([0, 1].contains(&ran.exit), "{ran:?}");
        if rng.u32(..3) == 0 {
            db.sql(&format!("UPDATE t{} SET pad = pad WHERE id % 2 = 0", rng.u32(..30)));
        }
    }
}

#[test]
fn three_windows_in_a_row_finish_what_one_could_not_and_the_next_begins_anew() {
    let db = Database::create("three", &tables());
    let whole = db.vacuum(&["--gentle", "--dry-run"]).result()["tables"].as_i64().unwrap();
    // How long it takes is known from then on.
    let all = db.vacuum(&["--gentle"]);
    let budget = format!("{}ms", all.took.as_millis() * 6 / 10);
    db.sql(&(0..30).fold(String::new(), |all, n| all + &format!("DELETE FROM t{n} WHERE id % 3 = 1;\n")));
    let mut done = 0;
    for window in 1..=3 {
        let ran = db.vacuum(&["--gentle", "--budget", &budget]);
        let result = ran.result();
        assert_eq!(result["windows"], window, "{ran:?}");
        assert_eq!(result["done_before"], done, "what is done is not done again: {ran:?}");
        done += result["done"].as_i64().unwrap();
        if window == 1 {
            assert!(result["left"].as_i64().unwrap() > 0, "one window is not enough: {ran:?}");
            assert!(ran.warned("tables-left"));
        }
        if result["left"] == 0 {
            break;
        }
    }
    assert_eq!((done, remaining(&db)), (whole, 0));
    assert_eq!(db.vacuum(&["--gentle", "--budget", &budget]).result()["windows"], 1, "a new time round");
}

#[test]
fn killed_in_the_middle_the_next_window_goes_on() {
    let db = Database::create("killed", &tables());
    let mut child = db.start(&["--gentle", "--budget", "1m"]);
    db.until("SELECT count(*) > 0 FROM pg_stat_user_tables WHERE last_vacuum IS NOT NULL");
    db.until("SELECT count(*) > 0 FROM pg_stat_progress_vacuum WHERE datname = current_database()");
    child.kill().unwrap();
    child.wait().unwrap();
    // The server notices when it has something to say: what it was at goes on or not, nothing is broken.
    let ran = db.vacuum(&["--budget", "1m"]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(ran.result()["windows"], 2, "{ran:?}");
    assert!(ran.result()["done_before"].as_i64().unwrap() > 0, "{ran:?}");
    assert_eq!(remaining(&db), 0);
}

#[test]
fn a_closed_window_is_refused_and_one_that_fits_nothing_says_so() {
    let db = Database::create("closed", &tables());
    let now = jiff::Zoned::now();
    let at =
        |hours: i64| now.checked_add(jiff::Span::new().hours(hours)).unwrap().strftime("%H:%M").to_string();
    let ran = db.vacuum(&["--window", &format!("{}-{}", at(2), at(3))]);
    assert_eq!((ran.exit, &ran.result()["error"]["code"]), (6, &"window-closed".into()), "{ran:?}");
    assert!(!db.path("state").exists());
    let ran = db.vacuum(&["--window", &format!("{}-{}", at(-1), at(1))]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    let ran = db.vacuum(&["--budget", "1ms"]);
    assert_eq!((ran.exit, &ran.result()["changed"]), (1, &false.into()), "{ran:?}");
    assert!(ran.warned("does-not-fit"), "{ran:?}");
}
