//! Against the lab's real server: run with the lab up, `cargo test -p tg-vacuum --features lab`.
//! Each test has a database of its own and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::Value;

const SETUP: &str = r#"
CREATE SCHEMA "Sch ema ""q""";
CREATE TABLE "Sch ema ""q"""."Größe '; --" (id int);
INSERT INTO "Sch ema ""q"""."Größe '; --" SELECT generate_series(1, 5000);
DELETE FROM "Sch ema ""q"""."Größe '; --" WHERE id > 1000;
CREATE TABLE held (id int);
INSERT INTO held SELECT generate_series(1, 2000);
DELETE FROM held;
CREATE TABLE parent (id int, k int) PARTITION BY LIST (k);
CREATE TABLE "part 1" PARTITION OF parent FOR VALUES IN (1);
CREATE MATERIALIZED VIEW mv AS SELECT * FROM parent;
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A database in the lab's server.
struct Scratch {
    name: String,
    dir: tempfile::TempDir,
}

impl Scratch {
    fn new(test: &str) -> Self {
        let name = format!("tg_vacuum_{test}_{}", std::process::id());
        psql("postgres", &format!("CREATE DATABASE {name}"));
        let scratch = Scratch { name, dir: tempfile::tempdir().unwrap() };
        psql(&scratch.name, SETUP);
        let password = std::fs::read_to_string(root().join(".lab/stack/secrets/db_password")).unwrap();
        let url = format!("postgres://terragnos:{}@db:5432/{}", password.trim(), scratch.name);
        std::fs::write(scratch.dir.path().join("url"), url).unwrap();
        scratch
    }

    fn vacuum(&self, words: &[&str]) -> (i32, Vec<Value>) {
        let stack = root().join(".lab/stack");
        let output = cargo_bin_cmd!("tg-vacuum")
            .args(words)
            .args([Path::new("-C"), &stack, Path::new("--state-dir"), &self.dir.path().join("state")])
            .args([Path::new("--database-url-file"), &self.dir.path().join("url")])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (
            output.status.code().unwrap(),
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        )
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        psql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn command(database: &str, sql: &str) -> Command {
    let mut command = Command::new(root().join("scripts/lab/psql"));
    command.args(["-d", database, "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql]).stdin(Stdio::null());
    command
}

fn psql(database: &str, sql: &str) -> String {
    let output = command(database, sql).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn records(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["type"] == "record").map(|line| &line["data"]).collect()
}

#[test]
fn every_table_is_done_the_worst_first_whatever_its_name() {
    let scratch = Scratch::new("all");
    let (code, lines) = scratch.vacuum(&[]);
    assert_eq!(code, 0);
    let records = records(&lines);
    assert_eq!(
        (&records[0]["table"], &records[0]["dead_before"], &records[0]["dead_after"]),
        (&"Größe '; --".into(), &4000.into(), &0.into())
    );
    assert_eq!(records.last().unwrap()["action"], "analyze", "parents of partitions come last");
    let result = &lines.last().unwrap()["data"];
    assert_eq!(
        (&result["tables"], &result["vacuumed"], &result["analyzed"]),
        (&5.into(), &4.into(), &1.into())
    );
    assert!(scratch.dir.path().join("state/history.jsonl").exists());
    let steps = lines.iter().filter(|line| line["type"] == "step").count();
    assert_eq!(steps, 10, "one before and one after each table");
}

#[test]
fn a_table_that_a_person_holds_is_skipped_and_the_rest_is_done_without_waiting() {
    let scratch = Scratch::new("held");
    let sql = "BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(8)";
    let mut holder = command(&scratch.name, sql).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let held =
        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'held'::regclass";
    while psql(&scratch.name, held) != "1" {
        std::thread::sleep(Duration::from_millis(50));
    }
    let begun = Instant::now();
    let (code, lines) = scratch.vacuum(&[]);
    let (report_code, report) = scratch.vacuum(&["report", "--min-dead", "100"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "nobody waited for the lock");
    assert_eq!((code, report_code), (0, 0));
    let done = records(&lines);
    let held = done.iter().find(|record| record["table"] == "held").unwrap();
    assert!(held["skipped"].as_str().unwrap().contains("lock"), "{held}");
    assert_eq!(lines.last().unwrap()["data"]["skipped"], 1);
    assert_eq!(lines.last().unwrap()["data"]["vacuumed"], 3);
    let listed = records(&report);
    assert_eq!((&listed[0]["table"], &listed[0]["size_bytes"]), (&"held".into(), &Value::Null));
    drop(psql(
        "postgres",
        &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", scratch.name),
    ));
    holder.wait().unwrap();
}

#[test]
fn the_report_has_the_guides_rows_and_a_dry_run_changes_nothing() {
    let scratch = Scratch::new("report");
    let (code, lines) = scratch.vacuum(&["report"]);
    assert_eq!(code, 0);
    let rows = records(&lines);
    assert_eq!(
        rows.iter().map(|row| row["dead"].clone()).collect::<Vec<_>>(),
        [Value::from(4000), 2000.into()]
    );
    assert_eq!((&rows[0]["live"], &rows[0]["dead_ratio"]), (&1000.into(), &0.8.into()));
    assert_eq!(scratch.vacuum(&["report", "--top", "1"]).1.len(), 3, "start, one record, result");
    let (code, lines) = scratch.vacuum(&["--dry-run"]);
    assert_eq!((code, &lines.last().unwrap()["data"]["changed"]), (0, &false.into()));
    assert_eq!(records(&scratch.vacuum(&["report"]).1).len(), 2, "the dead rows are still there");
    assert!(!scratch.dir.path().join("state").exists());
}
