//! What stands between a backup and a bad night: whoever gets in between a dump and its locks, what stays with a
//! replaced database, servers that would refuse a restore, clocks, forged manifests, and what a kill leaves readable.
//! With the lab up, `cargo test -p tg-backup --features lab --test lab_guards`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod lab_stack;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use lab_stack::gate::Gate;
use lab_stack::server::Server;
use lab_stack::{Database, Outcome};

const CONTENT: &str = "CREATE TABLE places (id int PRIMARY KEY, name text); \
    INSERT INTO places SELECT g, 'place ' || g FROM generate_series(1, 1000) AS g; \
    CREATE TABLE staging AS TABLE places";

/// The name of a table, which a dump has in plain.
const MARKER: &str = "nobody_else_reads_this";
const PATIENCE: Duration = Duration::from_secs(20);

fn ok(outcome: &Outcome) {
    assert_eq!(outcome.exit, 0, "{outcome:?}");
}

/// The warnings of this code, in the order in which they came.
fn warnings(outcome: &Outcome, code: &str) -> Vec<Value> {
    let lines = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == "warning" && line["data"]["code"] == code).collect()
}

#[test]
fn whoever_empties_a_table_between_our_lock_and_the_dump_s_goes_first_and_the_dump_begins_again() {
    let db = &mut Database::create("standoff", CONTENT);
    let gate = Gate::before(&db.path("gate"), "/containers/create?name=tg-backup-pg_dump-");
    db.set("DOCKER_HOST", &gate.host());
    let backup = db.start(&["create", "--tables-hash", "full"]);
    gate.await_request();
    let mut other = db.session("TRUNCATE staging");
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'staging'::regclass";
    while db.sql(waits) == "0" {}
    gate.open();
    // The second attempt makes another container.
    gate.await_request();
    assert!(other.wait().unwrap().success(), "it was not waited for, and not ended");
    gate.open();
    let made = Database::outcome(backup);
    ok(&made);
    let told = warnings(&made, "standoff");
    assert_eq!(told.len(), 1, "{made:?}");
    assert_eq!(told[0]["data"]["sessions"][0]["application"], "psql");
    assert_eq!(made.data["rows"], 1000, "staging was empty in the snapshot: {made:?}");
    ok(&db.tg(&["list", "--check"]));
}

#[test]
fn slots_and_subscriptions_are_told_before_a_swap_and_not_dropped_unless_that_is_accepted() {
    let server = Server::start("-c wal_level=logical");
    let db = &Database::create_in(server.stack(), "slot", CONTENT);
    db.sql("SELECT pg_create_logical_replication_slot('tg_test_slot', 'test_decoding')");
    db.sql("CREATE SUBSCRIPTION tg_test_sub CONNECTION 'host=nowhere.invalid dbname=x' PUBLICATION p WITH (connect = false)");
    ok(&db.tg(&["point", "create"]));
    for words in [&["restore", "--latest", "--dry-run"][..], &["plan"], &["restore", "--latest"]] {
        let outcome = db.tg(words);
        ok(&outcome);
        let told = warnings(&outcome, "stays-behind");
        let kinds: Vec<_> = told.iter().map(|line| line["data"]["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["slot", "subscription"], "{words:?}");
        let slot = &told[0]["data"];
        assert_eq!((&slot["name"], &slot["plugin"]), (&json!("tg_test_slot"), &json!("test_decoding")));
        assert!(slot["active"] == false && slot["confirmed_flush_lsn"].is_string(), "{slot}");
        let at = |what: &str| outcome.stdout.find(what);
        assert!(at("\"step\":\"swap\"").is_none_or(|swap| at("stays-behind").unwrap() < swap));
    }
    let there = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'tg_test_slot'";
    for (words, needs) in [
        (&["commit"][..], json!(["slots", "subscriptions"])),
        (&["commit", "--dry-run"], json!(["slots", "subscriptions"])),
        (&["commit", "--accept", "slots"], json!(["subscriptions"])),
    ] {
        let refused = db.tg(words);
        assert_eq!((refused.exit, refused.code()), (6, "not-accepted".into()), "{refused:?}");
        assert_eq!(refused.data["error"]["details"]["needs"], needs);
        assert_eq!((db.psql("postgres", there), db.siblings()), ("1".into(), 1));
    }
    // Undone, they serve again.
    let undone = db.tg(&["undo"]);
    ok(&undone);
    assert_eq!(db.sql("SELECT database = current_database() FROM pg_replication_slots"), "t");
    ok(&db.tg(&["undo"]));
    ok(&db.tg(&["commit", "--accept", "slots", "--accept", "subscriptions"]));
    assert_eq!((db.psql("postgres", there), db.siblings()), ("0".into(), 0));
}

#[test]
fn a_server_that_would_refuse_a_restore_is_known_when_the_backup_is_made() {
    let server = Server::start("");
    let db = &Database::create_in(server.stack(), "hba", CONTENT);
    ok(&db.tg(&["create", "--dry-run"]));
    ok(&db.tg(&["plan"]));
    let rules = format!(
        "local all all trust\nhost postgres,{0} all all scram-sha-256\nhost replication all all scram-sha-256\n",
        db.name
    );
    db.inside(&["sh", "-c", "cat >$PGDATA/pg_hba.conf"], rules.as_bytes());
    db.psql("postgres", "SELECT pg_reload_conf()");
    // A reload is not answered.
    while db.psql(
        "postgres",
        "SELECT count(*) FROM pg_hba_file_rules WHERE 'all' = ANY (database) AND type = 'host'",
    ) != "0"
    {}
    let made = db.tg(&["create"]);
    ok(&made);
    let told = warnings(&made, "way-back-hba");
    let line = told[0]["data"]["cure"].as_str().unwrap();
    assert!(line.contains("host all terragnos ") && line.contains("/32 scram-sha-256"), "{line}");
    for words in [&["create", "--dry-run"][..], &["plan"]] {
        let no = db.tg(words);
        assert_eq!((no.exit, no.data["way_back"][0]["lasting"].as_bool()), (1, Some(true)), "{no:?}");
    }
    let refused = db.tg(&["restore", &made.text("id")]);
    assert_eq!(refused.exit, 3, "{refused:?}");
    let hint = refused.data["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("pg_hba.conf") && hint.contains("host all terragnos"), "{hint}");
    assert_eq!(db.siblings(), 0);
    // The line that was said is all that it takes.
    let line = line.split(": ").last().unwrap();
    let both = format!("{rules}{line}\nhost all all 127.0.0.1/32 scram-sha-256\n");
    db.inside(&["sh", "-c", "cat >$PGDATA/pg_hba.conf"], both.as_bytes());
    db.psql("postgres", "SELECT pg_reload_conf()");
    while db.psql(
        "postgres",
        "SELECT count(*) FROM pg_hba_file_rules WHERE 'all' = ANY (database) AND type = 'host'",
    ) == "0"
    {}
    ok(&db.tg(&["plan"]));
    ok(&db.tg(&["restore", &made.text("id")]));
}

#[test]
fn a_clock_that_was_ahead_makes_no_backup_fresh_and_none_the_newest() {
    let db = &Database::create("clock", CONTENT);
    let ahead = db.tg(&["create"]);
    ok(&ahead);
    db.reseal(&db.path("backups").join(ahead.text("id")), |manifest| {
        manifest["created"] = json!("2999-01-01T00:00:00Z");
    });
    let moved = db.path("backups").join("29990101T000000Z-x-aaaaaa");
    fs::rename(db.path("backups").join(ahead.text("id")), &moved).unwrap();
    ok(&db.tg(&["check"]));
    let alone = db.tg(&["check", "--max-age", "24h"]);
    assert_eq!((alone.exit, &alone.data["fresh"]), (1, &Value::Null), "{alone:?}");
    assert!(alone.text("reason").contains("has not come yet"), "{alone:?}");
    assert_eq!(warnings(&alone, "clock").len(), 1);
    db.sql("DELETE FROM staging");
    let later = db.tg(&["create"]);
    ok(&later);
    let fresh = db.tg(&["check", "--max-age", "24h"]);
    ok(&fresh);
    assert_eq!((&fresh.data["newest"]["id"], &fresh.data["fresh"]), (&later.data["id"], &json!(true)));
    let latest = db.tg(&["restore", "--latest", "--dry-run"]);
    ok(&latest);
    assert_eq!(latest.data["id"], later.data["id"], "the server's transactions say so");
    assert_eq!(warnings(&latest, "clock").len(), 1, "{latest:?}");
}

#[test]
fn a_forged_manifest_has_nothing_written_outside_and_is_told_as_damaged() {
    let db = &mut Database::create("forged", CONTENT);
    let recipient = db.identity("key");
    db.set("TG_AGE_RECIPIENTS", &recipient);
    let made = db.tg(&["create"]);
    ok(&made);
    let backup = db.path("backups").join(made.text("id"));
    // What a file of ours is when it is decrypted, at a place of the author's choice.
    let target = db.path("planted.age");
    fs::copy(backup.join("globals.sql.age"), &target).unwrap();
    db.reseal(&backup, |manifest| {
        let mut more = manifest["files"]
            .as_array()
            .unwrap()
            .iter()
            .find(|f| f["path"] == "globals.sql.age")
            .unwrap()
            .clone();
        more["path"] = json!("../../planted.age");
        manifest["files"].as_array_mut().unwrap().push(more);
    });
    let key = db.path("key").display().to_string();
    let refused = db.tg(&["verify", &made.text("id"), "--identity", &key]);
    assert_eq!((refused.exit, refused.code()), (3, "damaged".into()), "{refused:?}");
    assert!(
        refused.data["error"]["message"].as_str().unwrap().contains("is not a plain path"),
        "{refused:?}"
    );
    assert!(!db.path("planted").exists());
    let pruned = db.tg(&["prune", "--keep-last", "1"]);
    ok(&pruned);
    assert!(target.exists() && backup.exists(), "it is left to a person");
}

/// Every path below a directory.
fn below(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

#[test]
fn what_a_killed_run_had_decrypted_was_never_beside_the_backup_and_is_gone_with_it() {
    let noise = "CREATE EXTENSION pgcrypto; CREATE TABLE noise (id int PRIMARY KEY, v bytea); \
        INSERT INTO noise SELECT g, gen_random_bytes(1024) FROM generate_series(1, 24 * 1024) AS g";
    let db = &mut Database::create("plain", noise);
    let recipient = db.identity("key");
    db.set("TG_AGE_RECIPIENTS", &recipient);
    let made = db.tg(&["create"]);
    ok(&made);
    let (id, key) = (made.text("id"), db.path("key").display().to_string());
    let there = below(&db.path("backups"));
    for (words, part, plain) in [
        (["verify", &id, "--identity", &key], "tg-backup-verify", "/verify/plain-*/data/toc.dat"),
        (["restore", &id, "--identity", &key], "tg-backup", "/plain/backup/data/toc.dat"),
    ] {
        let mut killed = db.start(&words);
        db.await_in_container_of(part, plain);
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_eq!(below(&db.path("backups")), there, "{words:?}");
        // Nobody runs the tool again: the engine alone takes them away.
        db.await_nothing_in_docker();
    }
    ok(&db.tg(&["restore", &id, "--identity", &key]));
    assert_eq!(db.left_in_docker(), Vec::<String>::new());
}

#[test]
fn an_encrypted_backup_of_a_database_outside_the_project_comes_back_without_a_plain_file() {
    let db = &mut Database::create("outside", CONTENT);
    db.outside();
    let recipient = db.identity("key");
    db.set("TG_AGE_RECIPIENTS", &recipient);
    let before = db.fingerprint();
    let made = db.tg(&["create"]);
    if made.code() == "client-too-old" {
        return;
    }
    ok(&made);
    let key = db.path("key").display().to_string();
    ok(&db.tg(&["restore", &made.text("id"), "--identity", &key]));
    assert_eq!(db.fingerprint(), before);
    let left = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(".tg-plain-");
    assert!(!fs::read_dir(db.path("state")).unwrap().any(|entry| left(&entry.unwrap().path())));
}

/// Files below a directory that are neither encrypted nor what an encrypted backup has in plain.
fn readable(root: &Path) -> Vec<PathBuf> {
    let plain = ["RECOVERY.md", "SHA256SUMS", "manifest.json"];
    let mut files = below(root);
    files.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        !name.ends_with(".age") && !plain.iter().any(|plain| name.contains(plain))
    });
    files
}

/// The directories for plaintext in the project's state.
fn plaintext(db: &Database) -> Vec<PathBuf> {
    let entries = fs::read_dir(db.path("state")).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".tg-plain-")).collect()
}

/// Begins a backup again and again and kills it, each time later; nothing of it can be read, then and later.
fn killed_at_any_moment(db: &Database, words: &[&str]) {
    let nothing: Vec<PathBuf> = vec![];
    let holds = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(MARKER);
    // The last time is that of the first file.
    for time in (0..5).map(|n| Some(Duration::from_millis(400 * n))).chain([None]) {
        let _ = fs::remove_dir_all(db.path("backups"));
        let (running, begun) = (db.start_group(words), Instant::now());
        while db.in_store().1.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{words:?} does not begin");
        }
        let begun = Instant::now();
        let early =
            || time.map_or_else(|| below(&db.path("backups")).is_empty(), |time| begun.elapsed() < time);
        while early() {
            assert!(begun.elapsed() < PATIENCE, "{words:?} writes nothing");
            assert_eq!(readable(&db.path("backups")), nothing, "{words:?} within {time:?}");
        }
        running.kill();
        let killed = Instant::now();
        assert_eq!(readable(&db.path("backups")), nothing, "{words:?} after {time:?}");
        // Nobody runs the tool again.
        db.await_nothing_started_in_docker();
        while !plaintext(db).is_empty() {
            assert!(killed.elapsed() < PATIENCE, "{words:?} after {time:?}: {:?}", plaintext(db));
        }
        let mut left = below(&db.path("state"));
        left.retain(holds);
        assert_eq!(left, nothing, "{words:?} after {time:?}");
    }
}

#[test]
fn a_killed_run_leaves_nothing_readable_of_a_backup_that_is_to_be_encrypted() {
    let server = Server::start("");
    let content = format!(
        "CREATE EXTENSION pgcrypto; CREATE TABLE {MARKER} (id int PRIMARY KEY, v bytea); \
         INSERT INTO {MARKER} SELECT g, gen_random_bytes(1024) FROM generate_series(1, 48 * 1024) AS g"
    );
    let db = &mut Database::create_in(server.stack(), "sealing", &content);
    let recipient = db.identity("key");
    db.set("TG_AGE_RECIPIENTS", &recipient);
    let basebackup = ["create", "--method", "basebackup"];
    killed_at_any_moment(db, &["create"]);
    killed_at_any_moment(db, &basebackup);
    let key = db.path("key").display().to_string();
    for words in [&["create"][..], &basebackup] {
        let made = db.tg(words);
        ok(&made);
        ok(&db.tg(&["verify", &made.text("id"), "--identity", &key]));
    }
    db.outside();
    if db.tg(&["create"]).code() != "client-too-old" {
        killed_at_any_moment(db, &["create"]);
        killed_at_any_moment(db, &basebackup);
    }
}
