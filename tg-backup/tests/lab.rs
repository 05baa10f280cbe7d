//! The tool against a real server: with the lab up, `cargo test -p tg-backup --features lab`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod lab_stack;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use lab_stack::{Database, Outcome, code_of};

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
fn what_was_backed_up_is_proven_comes_back_equal_and_undo_takes_it_back() {
    let db = &mut Database::create("equal", CONTENT);
    let role = db.role("ro'le \\");
    db.sql(&format!(
        "GRANT SELECT (v) ON \"we ird\".\"Tä\"\"ble; x\" TO \"{role}\"; GRANT USAGE ON SCHEMA \"we ird\" TO \"{role}\" WITH GRANT OPTION; \
         ALTER TABLE nothing OWNER TO \"{role}\"; ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO \"{role}\""
    ));
    db.sql(&format!(
        "ALTER DATABASE {0} SET search_path = \"$user\", public, \"we ird\"; ALTER DATABASE {0} SET work_mem = '9MB'; \
         ALTER DATABASE {0} CONNECTION LIMIT 77; REVOKE TEMP ON DATABASE {0} FROM PUBLIC; COMMENT ON DATABASE {0} IS 'it''s'",
        db.name
    ));
    let before = db.fingerprint();
    let made = db.tg(&["create", "--verify"]);
    ok(&made);
    assert_eq!(made.data["verification"]["outcome"], "verified", "{made:?}");
    assert_eq!(made.data["verification"]["depth"], "full", "{made:?}");
    let id = made.text("id");
    ok(&db.tg(&["check", "--max-age", "1h", "--verified", "--intact"]));
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
    assert_eq!((db.siblings(), db.left_in_docker()), (0, vec![]), "nothing is left beside the database");
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

/// The data file with the most bytes.
fn biggest(backup: &Path) -> PathBuf {
    let data = fs::read_dir(backup.join("data")).unwrap();
    data.map(|e| e.unwrap().path()).max_by_key(|p| p.metadata().unwrap().len()).unwrap()
}

/// What it is called, and how it is done to a backup's directory.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn every_damage_is_told_by_all_who_could_rely_on_the_backup() {
    let db = &Database::create("damage", CONTENT);
    let made = db.tg(&["create"]);
    ok(&made);
    let (id, pristine) = (made.text("id"), db.path("pristine"));
    let backup = db.path("backups").join(&id);
    let copy = |from: &Path, to: &Path| {
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy(&backup, &pristine);
    let cut = |d: &Path, to: &dyn Fn(u64) -> u64| {
        let file = fs::OpenOptions::new().write(true).open(biggest(d)).unwrap();
        file.set_len(to(file.metadata().unwrap().len())).unwrap();
    };
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let edit = |d: &Path, old: &str, new: &str| {
        let text = fs::read_to_string(d.join("manifest.json")).unwrap();
        assert!(text.contains(old), "{old}");
        fs::write(d.join("manifest.json"), text.replacen(old, new, 1)).unwrap();
    };
    let swap = |d: &Path| {
        let (a, b) = (biggest(d), d.join("data/toc.dat"));
        fs::rename(&a, d.join("x")).unwrap();
        fs::rename(&b, &a).unwrap();
        fs::rename(d.join("x"), &b).unwrap();
    };
    let damages: [Damage; 9] = [
        ("a flipped byte", &|d| flip(&biggest(d))),
        ("cut in half", &|d| cut(d, &|all| all / 2)),
        ("without its last byte", &|d| cut(d, &|all| all - 1)),
        ("empty", &|d| cut(d, &|_| 0)),
        ("a file is gone", &|d| fs::remove_file(biggest(d)).unwrap()),
        ("two files swapped", &swap),
        ("the roles are edited", &|d| flip(&d.join("globals.sql"))),
        ("the manifest says other rows", &|d| edit(d, "\"rows\": 5", "\"rows\": 6")),
        ("the manifest is cut", &|d| edit(d, "\n}", "")),
    ];
    for (what, damage) in damages {
        fs::remove_dir_all(&backup).unwrap();
        copy(&pristine, &backup);
        damage(&backup);
        let verified = db.tg(&["verify", &id]);
        assert_ne!(verified.exit, 0, "{what}: {verified:?}");
        let restored = db.tg(&["restore", &id, "--accept-data-loss"]);
        assert_eq!((restored.exit, restored.code()), (3, "damaged".into()), "{what}: {restored:?}");
        assert_eq!(db.tg(&["list", "--check"]).exit, 1, "{what}");
        assert_eq!(db.tg(&["check", "--intact"]).exit, 1, "{what}");
        assert_eq!(db.tg(&["check", "--verified"]).exit, 1, "{what}");
    }
    fs::remove_dir_all(&backup).unwrap();
    copy(&pristine, &backup);
    ok(&db.tg(&["verify", &id]));
    ok(&db.tg(&["check", "--verified", "--intact"]));
    assert_eq!((db.siblings(), db.left_in_docker()), (0, vec![]));
}

fn sh(directory: &Path, script: &str) {
    let status = Command::new("sh").args(["-ec", script]).current_dir(directory).status().unwrap();
    assert!(status.success(), "{script}");
}

#[test]
fn the_data_comes_back_by_the_words_of_the_recovery_text_alone() {
    let db = &mut Database::create("words", CONTENT);
    let recipient = db.identity("key");
    for encrypted in [false, true] {
        if encrypted {
            db.set("TG_AGE_RECIPIENTS", &recipient);
        }
        let made = db.tg(&["create"]);
        ok(&made);
        let backup = db.path("backups").join(made.text("id"));
        let text = fs::read_to_string(backup.join("RECOVERY.md")).unwrap();
        let key = db.path("key").display().to_string();
        let checks = code_of(&text, 1).replace("KEYFILE", &key);
        let own = "test \"$(jq -r .self manifest.json)\" = \"$(jq -cj 'del(.self)' manifest.json | sha256sum | cut -d ' ' -f 1)\"";
        sh(&backup, &format!("( {checks} ) >/dev/null\n{own}"));
        assert!(backup.join("data/toc.dat").is_file());
        let (before, name) = (db.fingerprint(), db.name.clone());
        let aside = format!("aside_{name}");
        db.psql("postgres", &format!("ALTER DATABASE {name} RENAME TO {aside}"));
        let recover = |text: &str| text.replace("recovered", &name);
        db.psql("postgres", &recover(&code_of(&text, 3)));
        db.inside(&["rm", "-rf", "/tmp/recovery"], b"");
        db.copy_in(&backup, "/tmp/recovery");
        let restore = recover(&code_of(&text, 4)).replace(" data", " -U terragnos data");
        db.inside(&["sh", "-ec", &format!("cd /tmp/recovery && {restore}")], b"");
        for statement in recover(&code_of(&text, 5)).lines() {
            db.psql("postgres", statement);
        }
        assert_eq!(db.fingerprint(), before);
        db.psql("postgres", &format!("DROP DATABASE {name}"));
        db.psql("postgres", &format!("ALTER DATABASE {aside} RENAME TO {name}"));
    }
}

#[test]
fn what_this_host_can_not_read_it_proves_when_it_writes_it_and_restores_with_the_identity() {
    let db = &mut Database::create("age", CONTENT);
    let recipient = db.identity("key");
    let stranger = db.identity("other");
    assert_ne!(recipient, stranger);
    db.set("TG_AGE_RECIPIENTS", &recipient);
    let before = db.fingerprint();
    let made = db.tg(&["create", "--verify"]);
    ok(&made);
    let id = made.text("id");
    let text = fs::read_to_string(made.text("manifest")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["recipients"], serde_json::json!([recipient]));
    let files = manifest["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap());
    let plain: Vec<_> = files.filter(|name| name.strip_suffix(".age").is_none()).collect();
    assert_eq!(plain, ["RECOVERY.md", "SHA256SUMS"]);
    ok(&db.tg(&["check", "--verified", "--intact"]));
    for words in [&["verify", &id][..], &["restore", &id]] {
        let refused = db.tg(words);
        let code = if words[0] == "verify" { "could-not-verify" } else { "encrypted" };
        assert_eq!((refused.exit, refused.code()), (10, code.into()), "{refused:?}");
    }
    let (key, other) = (db.path("key").display().to_string(), db.path("other").display().to_string());
    let refused = db.tg(&["restore", &id, "--identity", &other]);
    assert_eq!((refused.exit, refused.code()), (10, "wrong-identity".into()), "{refused:?}");
    ok(&db.tg(&["verify", &id, "--identity", &key]));
    ok(&db.tg(&["restore", &id, "--identity", &key]));
    assert_eq!(db.fingerprint(), before);
    assert_eq!((db.in_store().1, db.left_in_docker()), (vec![], vec![]), "nothing readable is left");
    let wrong = db.tg(&["create", "--identity", "/nonexistent"]);
    assert_eq!((wrong.exit, wrong.code()), (10, "bad-setting".into()));
}

#[test]
fn what_is_only_in_the_store_comes_back_from_it() {
    let db = &mut Database::create("store", CONTENT);
    db.set_store();
    let before = db.fingerprint();
    let made = db.tg(&["create", "--verify"]);
    ok(&made);
    assert!(made.data["copied"]["bytes"].as_u64().unwrap() > 100_000, "{made:?}");
    ok(&db.tg(&["check", "--stored", "--verified"]));
    assert_eq!(db.tg(&["push"]).data["changed"], false);
    fs::remove_dir_all(db.path("backups")).unwrap();
    let listed = db.tg(&["list"]);
    assert!(
        listed.stdout.contains("\"stored\":true") && listed.stdout.contains("\"path\":null"),
        "{listed:?}"
    );
    ok(&db.tg(&["restore", "--latest"]));
    assert_eq!(db.fingerprint(), before);
    assert_eq!(db.in_store().0, [made.text("id")], "what was fetched is a backup like any other");
    ok(&db.tg(&["commit"]));
    ok(&db.tg(&["list", "--check"]));
    let secret = fs::read_to_string(std::env::var("TG_LAB_S3_SECRET_FILE").unwrap()).unwrap();
    assert!(!made.stdout.contains(secret.trim()) && !listed.stdout.contains(secret.trim()));
    ok(&db.tg(&["create", "--verify"]));
    let look = db.tg(&["prune", "--keep-last", "1", "-n"]);
    assert_eq!(look.data["removed"], 2, "one here and one there: {look:?}");
    let pruned = db.tg(&["prune", "--keep-last", "1", "--in", "store"]);
    assert_eq!((pruned.exit, &pruned.data["removed"]), (0, &1.into()), "{pruned:?}");
    fs::remove_dir_all(db.path("backups")).unwrap();
    assert_eq!(db.tg(&["list"]).data["backups"], 1);
    assert_eq!(db.tg(&["fetch", &made.text("id")]).code(), "not-found");
    ok(&db.tg(&["fetch"]));
}

#[test]
fn a_store_that_refuses_or_is_away_is_told_and_the_backup_is_kept_here() {
    let db = &mut Database::create("refused", CONTENT);
    db.set_store();
    let id = {
        let wrong = &mut *db;
        fs::write(wrong.path("wrong"), "not-the-secret").unwrap();
        let path = wrong.path("wrong").display().to_string();
        wrong.set("AWS_SECRET_ACCESS_KEY_FILE", &path);
        let refused = wrong.tg(&["create"]);
        assert_eq!((refused.exit, refused.code()), (10, "not-copied".into()), "{refused:?}");
        assert_eq!(refused.data["error"]["details"]["cause"], "store-refused", "{refused:?}");
        assert_eq!(refused.data["changed"], true, "{refused:?}");
        assert_eq!(wrong.tg(&["check", "--stored"]).exit, 10);
        ok(&wrong.tg(&["check"]));
        refused.text("id")
    };
    assert_eq!(db.in_store().0, std::slice::from_ref(&id));
    db.set_store();
    assert_eq!(db.tg(&["check", "--stored"]).exit, 1);
    let biggest = biggest(&db.path("backups").join(&id));
    let good = fs::read(&biggest).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&biggest, bad).unwrap();
    assert_eq!(db.tg(&["push"]).code(), "damaged");
    assert_eq!(db.tg(&["check", "--stored"]).exit, 1, "what is not whole is not there");
    fs::write(&biggest, good).unwrap();
    ok(&db.tg(&["push"]));
    ok(&db.tg(&["check", "--stored"]));
    db.set("TG_BACKUP_STORE", "s3://b/p?endpoint=http://127.0.0.1:9");
    assert_eq!(db.tg(&["--timeout", "30s", "push"]).code(), "store-unreachable");
    db.set("TG_BACKUP_STORE", "s3://b/p?endpont=http://127.0.0.1:9");
    let wrong = db.tg(&["create"]);
    assert_eq!((wrong.exit, wrong.code()), (10, "bad-setting".into()), "{wrong:?}");
}

#[test]
fn a_database_outside_the_project_is_dumped_by_this_host_s_clients_if_they_are_new_enough() {
    let db = &Database::create("outside", CONTENT);
    let output = Command::new("pg_dump").arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    let client: u32 = version.split(' ').nth(2).unwrap().split('.').next().unwrap().parse().unwrap();
    db.outside();
    let made = db.tg(&["create"]);
    if client < db.major() {
        assert_eq!((made.exit, made.code()), (10, "client-too-old".into()), "{version}: {made:?}");
        assert_eq!(db.in_store(), (vec![], vec![]));
        return;
    }
    ok(&made);
    let before = db.fingerprint();
    assert_eq!(db.tg(&["verify"]).data["error"]["details"]["cause"], "no-image");
    ok(&db.tg(&["verify", "--image", &db.image()]));
    ok(&db.tg(&["restore", "--latest"]));
    assert_eq!(db.fingerprint(), before);
    assert_eq!(db.left_in_docker(), Vec::<String>::new());
}

#[test]
fn rows_that_a_perfect_pg_restore_does_not_miss_are_missed_by_the_proof() {
    let db = &Database::create("rows", CONTENT);
    for (filter, said) in
        [("sed 7d", "has 49999 rows instead of 50000"), ("sed '7s/^[0-9]*/0/'", "has other rows than before")]
    {
        let made = db.tg(&["create", "--tables-hash", "full"]);
        ok(&made);
        db.rewrite(&biggest(&db.path("backups").join(made.text("id"))), filter);
        ok(&db.tg(&["list", "--check"]));
        let verified = db.tg(&["verify"]);
        assert_eq!((verified.exit, verified.text("outcome")), (1, "not-restorable".into()), "{verified:?}");
        assert!(verified.text("problem").ends_with(said), "{verified:?}");
        let restored = db.tg(&["restore", "--latest"]);
        assert_eq!((restored.exit, restored.code()), (3, "differs".into()), "{restored:?}");
        assert_eq!((db.siblings(), db.left_in_docker()), (0, vec![]));
    }
}

#[test]
fn what_can_not_be_restored_is_known_before_it_is_needed_and_named() {
    let db = &Database::create(
        "path",
        "CREATE FUNCTION inner_f(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END'; \
         CREATE FUNCTION outer_f(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN inner_f($1); END'; \
         CREATE TABLE checked (v text CHECK (outer_f(v) IS NOT NULL)); INSERT INTO checked VALUES ('x')",
    );
    let made = db.tg(&["create", "--verify"]);
    assert_eq!(made.exit, 1, "{made:?}");
    let proof = &made.data["verification"];
    assert_eq!(proof["outcome"], "not-restorable", "{made:?}");
    assert!(proof["object"].as_str().unwrap().contains("checked"), "{made:?}");
    assert!(proof["problem"].as_str().unwrap().contains("inner_f"), "{made:?}");
    assert_eq!(db.tg(&["check", "--verified"]).exit, 1);
    ok(&db.tg(&["check"]));
}

#[test]
fn what_could_not_be_tried_is_neither_good_nor_bad() {
    let db = &Database::create("tried", CONTENT);
    ok(&db.tg(&["create"]));
    for (words, exit, cause) in [
        (&["verify", "--memory", "16m"][..], 3, "out-of-memory"),
        (&["verify", "--image", "no/such:image"], 3, "docker"),
        (&["--timeout", "1s", "verify"], 124, "deadline"),
    ] {
        let tried = db.tg(words);
        assert_eq!((tried.exit, tried.code()), (exit, "could-not-verify".into()), "{words:?}: {tried:?}");
        assert_eq!(tried.data["error"]["details"]["cause"], cause, "{tried:?}");
        assert_eq!(db.left_in_docker(), Vec::<String>::new(), "{words:?}");
        assert_eq!(db.tg(&["check", "--verified"]).exit, 1);
    }
    ok(&db.tg(&["verify"]));
}

#[test]
fn one_proof_at_a_time() {
    let db = &Database::create("once", CONTENT);
    ok(&db.tg(&["create"]));
    let first = db.start(&["verify"]);
    db.await_container_of("tg-backup-verify");
    let second = db.tg(&["verify"]);
    assert_eq!(second.exit, 11, "{second:?}");
    assert_eq!(db.tg(&["check", "--verified"]).exit, 1, "what could not be tried proves nothing");
    ok(&Database::outcome(first));
    ok(&db.tg(&["check", "--verified"]));
}

#[test]
fn as_much_is_kept_of_each_table_as_was_asked_for() {
    let db = &Database::create("depth", CONTENT);
    for (depth, rows, hash) in [("off", false, false), ("count", true, false), ("full", true, true)] {
        let made = db.tg(&["create", "--verify", "--tables-hash", depth]);
        ok(&made);
        assert_eq!(made.data["verification"]["depth"], depth);
        let text = fs::read_to_string(made.text("manifest")).unwrap();
        let manifest: Value = serde_json::from_str(&text).unwrap();
        let table = &manifest["tables"][0];
        assert_eq!((!table["rows"].is_null(), !table["hash"].is_null()), (rows, hash), "{depth}");
        assert_eq!(!made.data["rows"].is_null(), rows);
    }
}

#[test]
fn a_table_that_is_emptied_between_snapshot_and_lock_makes_it_begin_anew() {
    let db = &Database::create("moved", CONTENT);
    let script =
        "BEGIN; LOCK TABLE place IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); TRUNCATE place; COMMIT";
    let mut changer = db.session(script);
    db.await_sleep();
    let made = db.tg(&["create", "--verify"]);
    changer.wait().unwrap();
    ok(&made);
    assert!(made.stdout.contains("\"code\":\"structure-changed\""), "{made:?}");
    assert!(made.stdout.contains("\"code\":\"blockers\""), "{made:?}");
    let manifest: Value = serde_json::from_str(&fs::read_to_string(made.text("manifest")).unwrap()).unwrap();
    let place = manifest["tables"].as_array().unwrap().iter().find(|t| t["name"] == "place").unwrap();
    assert_eq!(place["rows"], 0);
}

#[test]
fn a_held_table_is_waited_for_and_then_its_holder_is_named() {
    let db = &Database::create("held", CONTENT);
    let mut holder = db.session("BEGIN; LOCK TABLE place IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(8)");
    db.await_sleep();
    let refused = db.tg(&["create", "--lock-wait", "1s"]);
    assert_eq!((refused.exit, refused.code()), (3, "tables-locked".into()), "{refused:?}");
    assert_eq!(refused.data["error"]["details"]["sessions"][0]["application"], "psql", "{refused:?}");
    assert_eq!(db.in_store(), (vec![], vec![]));
    holder.wait().unwrap();
}

#[test]
fn what_no_rule_keeps_goes_and_what_an_upgrade_needs_stays() {
    let db = &Database::create("prune", "CREATE TABLE t ()");
    for run in ["r1", "r2", "r3"] {
        ok(&db.tg(&["--run-id", run, "create", "--verify"]));
    }
    ok(&db.tg(&["create"]));
    fs::write(db.path("state/procedure.json"), r#"{"run": "r2", "phase": "migrate"}"#).unwrap();
    let look = db.tg(&["prune", "--keep-last", "1", "--dry-run"]);
    assert_eq!((&look.data["removed"], &look.data["changed"]), (&1.into(), &false.into()), "{look:?}");
    let pruned = db.tg(&["prune", "--keep-last", "1"]);
    ok(&pruned);
    assert_eq!((&pruned.data["removed"], &pruned.data["kept"]), (&1.into(), &3.into()), "{pruned:?}");
    let left = db.in_store();
    assert_eq!((left.0.len(), left.1.len()), (3, 0));
    assert!(!left.0.iter().any(|id| id.ends_with("-r1")), "{left:?}");
    assert_eq!(db.tg(&["prune", "--keep-last", "1"]).data["changed"], false);
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
    assert_eq!((left.count(), db.siblings(), db.left_in_docker()), (0, 0, vec![]));
}

#[test]
fn a_wrong_password_ends_with_10_and_is_not_repeated() {
    let db = &Database::create("pass", CONTENT);
    fs::write(db.path("url"), format!("postgres://terragnos:not-the-one@db:5432/{}", db.name)).unwrap();
    let refused = db.tg(&["create"]);
    assert_eq!((refused.exit, refused.code()), (10, "database-refused".into()), "{refused:?}");
    assert!(!refused.stdout.contains("not-the-one"));
}
