//! The tool against a real server: with the lab up, `cargo test -p tg-backup --features lab`.

mod lab_stack;

use std::fs;
use std::time::Duration;

use lab_stack::{Database, Outcome};

/// Everything that a dump has lost in somebody's hands before.
const CONTENT: &str = r#"
    CREATE SCHEMA "we ird";
    CREATE TABLE "we ird"."Tä""ble; x" (
        "Id" bigint GENERATED ALWAYS AS IDENTITY, v int, w int GENERATED ALWAYS AS (v * 2) STORED);
    INSERT INTO "we ird"."Tä""ble; x" (v) SELECT pg_catalog.generate_series(1, 1000);
    CREATE TABLE part (id int, d date) PARTITION BY RANGE (d);
    CREATE TABLE part_a PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-06-01');
    CREATE TABLE part_b PARTITION OF part FOR VALUES FROM ('2026-06-01') TO ('2027-01-01');
    INSERT INTO part SELECT g, date '2026-01-01' + g % 300 FROM pg_catalog.generate_series(1, 5000) AS g;
    CREATE TABLE parent (a int);
    CREATE TABLE child (b int) INHERITS (parent);
    INSERT INTO parent VALUES (1);
    INSERT INTO child VALUES (2, 3), (4, 5);
    CREATE UNLOGGED TABLE unlogged AS SELECT pg_catalog.generate_series(1, 10) AS i;
    CREATE TABLE nothing ();
    SELECT pg_catalog.lo_from_bytea(0, 'large');
    CREATE EXTENSION IF NOT EXISTS postgis;
    INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text) VALUES (990001, 'x', 1, 'x', 'x');
    CREATE TABLE place AS SELECT g AS id, ST_MakePoint(g, g) AS at FROM pg_catalog.generate_series(1, 50000) AS g;
"#;

fn ok(outcome: &Outcome) {
    assert_eq!(outcome.exit, 0, "{outcome:?}");
}

#[test]
fn what_was_backed_up_comes_back_equal_and_undo_takes_it_back() {
    let db = &Database::create("equal", CONTENT);
    db.sql(&format!(
        "ALTER DATABASE {0} SET search_path = \"$user\", public, \"we ird\"; ALTER DATABASE {0} SET work_mem = '9MB'; \
         ALTER DATABASE {0} CONNECTION LIMIT 77; REVOKE TEMP ON DATABASE {0} FROM PUBLIC; COMMENT ON DATABASE {0} IS 'it''s'",
        db.name
    ));
    let before = db.fingerprint();
    let made = db.tg(&["create"]);
    ok(&made);
    let id = made.text("id");
    db.sql("DROP TABLE parent CASCADE; INSERT INTO part VALUES (0, '2026-02-02')");
    let refused = db.tg(&["restore", &id]);
    assert_eq!((refused.exit, refused.code()), (6, "data-loss".into()), "{refused:?}");
    let after = db.fingerprint();
    let restored = db.tg(&["restore", &id, "--accept-data-loss"]);
    ok(&restored);
    assert_eq!(restored.data["rows_lost"], 1, "{restored:?}");
    assert_eq!(db.fingerprint(), before);
    ok(&db.tg(&["undo"]));
    assert_eq!(db.fingerprint(), after);
    ok(&db.tg(&["undo"]));
    assert_eq!(db.fingerprint(), before);
    ok(&db.tg(&["commit"]));
    assert_eq!(db.tg(&["undo"]).code(), "nothing-kept");
    assert_eq!(db.siblings(), 0, "nothing is left beside the database");
}

#[test]
fn a_step_that_is_run_again_changes_nothing() {
    let db = &Database::create("again", CONTENT);
    for words in [&["create"][..], &["point", "create"], &["restore", "--run", "r1"], &["undo"]] {
        let all = [&["--run-id", "r1"], words].concat();
        let (first, second) = (db.tg(&all), db.tg(&all));
        ok(&first);
        ok(&second);
        assert_eq!(
            (&first.data["changed"], &second.data["changed"]),
            (&true.into(), &false.into()),
            "{words:?}"
        );
        assert_eq!(first.data["id"], second.data["id"]);
    }
    let actions: Vec<_> = db.history().iter().map(|line| line["action"].clone()).collect();
    assert_eq!(actions, ["backup", "point", "restore", "undo"]);
}

#[test]
fn a_flipped_byte_is_refused_and_named() {
    let db = &Database::create("flip", CONTENT);
    let made = db.tg(&["create"]);
    ok(&made);
    let data = fs::read_dir(db.path("backups").join(made.text("id")).join("data")).unwrap();
    let biggest = data.map(|e| e.unwrap().path()).max_by_key(|p| p.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(&biggest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&biggest, bytes).unwrap();
    let refused = db.tg(&["restore", "--latest"]);
    assert_eq!((refused.exit, refused.code()), (3, "damaged".into()), "{refused:?}");
    assert!(biggest.ends_with(refused.data["error"]["details"]["file"].as_str().unwrap()));
    assert_eq!(db.tg(&["list"]).exit, 0);
    assert_eq!(db.tg(&["list", "--check"]).exit, 1);
}

#[test]
fn a_point_needs_an_unused_database_and_loses_no_row_silently() {
    let db = &Database::create("point", CONTENT);
    let holder = db.hold(Duration::from_secs(30));
    let refused = db.tg(&["point", "create"]);
    assert_eq!((refused.exit, refused.code()), (3, "in-use".into()), "{refused:?}");
    drop(holder);
    let before = db.fingerprint();
    let made = db.tg(&["--run-id", "r1", "point", "create"]);
    ok(&made);
    db.sql("UPDATE part SET d = d WHERE id <= 7");
    let refused = db.tg(&["restore", "--run", "r1"]);
    assert_eq!((refused.exit, &refused.data["error"]["details"]["rows"]), (6, &7.into()), "{refused:?}");
    let restored = db.tg(&["restore", "--run", "r1", "--accept-data-loss"]);
    ok(&restored);
    assert!(restored.data["closed_ms"].as_u64().unwrap() < 1000, "{restored:?}");
    assert_eq!(db.fingerprint(), before);
}

#[test]
fn a_killed_tool_leaves_nothing_half_and_the_same_command_finishes() {
    let db = &Database::create("kill", CONTENT);
    let before = db.fingerprint();
    for (i, ms) in [250, 600, 1000].into_iter().enumerate() {
        let run = format!("c{i}");
        db.killed_after(Duration::from_millis(ms), &["--run-id", &run, "create"]);
        ok(&db.tg(&["list", "--check"]));
        ok(&db.tg(&["--run-id", &run, "create"]));
        let words = ["--run-id", &run, "restore", "--run", &run];
        db.killed_after(Duration::from_millis(ms * 2), &words);
        ok(&db.tg(&words));
        assert_eq!(db.fingerprint(), before);
        ok(&db.tg(&["commit"]));
    }
    let left = fs::read_dir(db.path("backups"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!((left.count(), db.siblings(), db.sidecars()), (0, 0, 0));
}

#[test]
fn a_wrong_password_ends_with_10_and_is_not_repeated() {
    let db = &Database::create("pass", CONTENT);
    fs::write(db.path("url"), format!("postgres://terragnos:not-the-one@db:5432/{}", db.name)).unwrap();
    let refused = db.tg(&["create"]);
    assert_eq!((refused.exit, refused.code()), (10, "database-refused".into()), "{refused:?}");
    assert!(!refused.stdout.contains("not-the-one"));
}
