//! What needs a server to itself: kills at random moments, restarts, a full disk, very many tables.
//! With the lab up, `cargo test -p tg-backup --features lab --test lab_faults`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod lab_stack;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use lab_stack::gate::{ENGINE, Gate};
use lab_stack::{Database, Outcome, code_of, volumes};

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
    below.mul_f64(f64::from(u16::try_from(random % 1000).unwrap_or(0)) / 1000.0)
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
    assert_eq!((hidden, db.left_in_docker()), (vec![], vec![]));
}

#[test]
fn what_the_engine_makes_after_its_asker_was_killed_goes_with_the_next_backup() {
    let _alone = alone();
    let db = &mut Database::create("late", &noise(48));
    for (part, container) in [("tg-backup", "tg-backup-pg_dump"), ("tg-backup-verify", "tg-backup-verify")] {
        let gate = Gate::before(&db.path(part), &format!("/containers/create?name={container}-"));
        db.set("DOCKER_HOST", &gate.host());
        let mut killed = db.start(&["create", "--verify"]);
        gate.await_request();
        killed.kill().unwrap();
        let told = killed.wait_with_output().unwrap().stdout;
        let start: Value = serde_json::from_slice(told.split(|b| *b == b'\n').next().unwrap()).unwrap();
        db.set("DOCKER_HOST", &format!("unix://{ENGINE}"));
        let next = db.start(&["create", "--verify"]);
        // What was to be swept first has been.
        db.await_container_of(part);
        gate.open();
        ok(&Database::outcome(next));
        // The engine makes a volume that was swept already anew, without our labels.
        let anew = volumes(&format!("name={}", start["run"].as_str().unwrap()));
        assert_eq!((db.left_in_docker(), anew), (vec![], vec![]), "{part}");
    }
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
        assert_eq!(db.left_in_docker(), Vec::<String>::new(), "{part}");
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
    assert_eq!(db.left_in_docker(), Vec::<String>::new());
    ok(&db.tg(&["create"]));
}

#[test]
fn ten_thousand_small_tables_are_backed_up_proven_and_restored_equal() {
    let _alone = alone();
    let tables = "DO $$ BEGIN FOR i IN 1..10000 LOOP \
        EXECUTE format('CREATE TABLE t%s (id int, v text)', i); \
        EXECUTE format('INSERT INTO t%s VALUES (1, ''x''), (%s, NULL)', i, i); \
        IF i % 200 = 0 THEN COMMIT; END IF; END LOOP; END $$";
    let db = &Database::create("many", tables);
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

/// The number of rows in a table of a server that was started beside the real one, in its container.
const BESIDE: &str = r#"
    pg_ctl -D "$NEW" -l /tmp/recovery/log -o "-p 5433 -c listen_addresses='' -c unix_socket_directories=/tmp/recovery" -w -s start
    psql -X -At -h /tmp/recovery -p 5433 -U terragnos -d "$DB" -c 'SELECT count(*), max(id) FROM noise'
    pg_ctl -D "$NEW" -m immediate -s stop
"#;

/// Follows the recovery text of the newest of these backups, in the server's container.
fn recover(db: &Database, backups: &[&str]) -> String {
    db.inside(&["rm", "-rf", "/tmp/recovery"], b"");
    db.inside(&["mkdir", "-p", "/tmp/recovery"], b"");
    for id in backups {
        db.copy_in(&db.path("backups").join(id), "/tmp/recovery/");
    }
    db.inside(&["chown", "-R", "postgres", "/tmp/recovery"], b"");
    let newest = backups.last().unwrap();
    let text = fs::read_to_string(db.path("backups").join(newest).join("RECOVERY.md")).unwrap();
    let steps = format!(
        "cd /tmp/recovery/{newest}; sha256sum -c SHA256SUMS >/dev/null; NEW=/tmp/recovery/new DB={}\n{}\n{}\n{BESIDE}",
        db.name,
        code_of(&text, 2),
        code_of(&text, 3)
    );
    let words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-ec", &steps];
    let told = String::from_utf8(db.inside(&words, b"")).unwrap();
    db.inside(&["rm", "-rf", "/tmp/recovery"], b"");
    told.lines().last().unwrap().to_owned()
}

#[test]
fn a_copy_of_the_server_is_proven_by_a_server_that_starts_on_it() {
    let _alone = alone();
    let db = &Database::create("server", &noise(8));
    let made = db.tg(&["create", "--method", "basebackup", "--verify"]);
    ok(&made);
    let (id, proof) = (made.text("id"), &made.data["verification"]);
    assert_eq!(proof["outcome"], "verified", "{made:?}");
    // Vacuum's own statistics count as writing: then the tables are read and not compared.
    assert!(proof["depth"].is_null() || proof["rows"] == 8192, "{made:?}");
    assert_eq!(recover(db, &[&id]), "8192|8192");
    let refused = db.tg(&["restore", &id]);
    assert_eq!((refused.exit, refused.code()), (3, "whole-server".into()), "{refused:?}");
    ok(&db.tg(&["check", "--verified", "--intact"]));
    let archives = db.path("backups").join(&id).join("data");
    let mut archive = fs::read_dir(&archives).unwrap().map(|e| e.unwrap().path());
    let base = archive.find(|p| p.to_string_lossy().contains("base.tar")).unwrap();
    // Damage from before the hashes were made: pg_verifybackup knows better.
    db.rewrite(&base, "sed 's/PostgreSQL/PostgreXQL/'");
    ok(&db.tg(&["list", "--check"]));
    let verified = db.tg(&["verify", &id]);
    assert_eq!((verified.exit, verified.text("object")), (1, "pg_verifybackup".into()), "{verified:?}");
    let file = fs::OpenOptions::new().write(true).open(&base).unwrap();
    file.set_len(base.metadata().unwrap().len() / 2).unwrap();
    let verified = db.tg(&["verify", &id]);
    assert_eq!((verified.exit, verified.text("outcome")), (1, "not-restorable".into()), "{verified:?}");
    assert_eq!((db.in_store().1, db.left_in_docker()), (vec![], vec![]));
}

#[test]
fn an_incremental_copy_stands_on_the_one_before() {
    let _alone = alone();
    let db = &Database::create("incremental", &noise(32));
    // The first who reads a row writes that it is committed: that shall not happen in between.
    db.sql("VACUUM noise");
    let words = ["create", "--method", "basebackup", "--incremental", "--verify"];
    let refused = db.tg(&words);
    assert_eq!((refused.exit, refused.code()), (3, "no-incremental".into()), "{refused:?}");
    assert_eq!(db.tg(&["create", "--incremental"]).code(), "no-incremental");
    let whole = db.tg(&["create", "--method", "basebackup", "--verify"]);
    ok(&whole);
    if db.major() < 17 {
        assert_eq!(db.tg(&words).code(), "no-incremental");
        return;
    }
    db.sql("INSERT INTO noise SELECT g, gen_random_bytes(64) FROM generate_series(32769, 32868) AS g");
    let first = db.tg(&words);
    ok(&first);
    assert_eq!(first.data["verification"]["outcome"], "verified", "{first:?}");
    let bytes = |made: &Outcome| made.data["bytes"].as_u64().unwrap();
    assert!(bytes(&first) * 2 < bytes(&whole), "{} of {}", bytes(&first), bytes(&whole));
    assert_eq!(recover(db, &[&whole.text("id"), &first.text("id")]), "32868|32868");
    db.sql("DELETE FROM noise WHERE id > 32866");
    let second = db.tg(&words);
    ok(&second);
    let pruned = db.tg(&["prune", "--keep-last", "1"]);
    ok(&pruned);
    assert_eq!(pruned.data["removed"], 0, "all stand on each other: {pruned:?}");
    fs::remove_dir_all(db.path("backups").join(whole.text("id"))).unwrap();
    let verified = db.tg(&["verify", &second.text("id")]);
    assert_eq!((verified.exit, verified.text("outcome")), (1, "not-restorable".into()), "{verified:?}");
    assert!(verified.text("problem").contains("missing"), "{verified:?}");
}

#[test]
fn a_server_that_is_written_to_is_copied_and_read_and_not_compared() {
    let _alone = alone();
    let db = &Database::create("busy", &noise(8));
    let mut writer = db.session(
        "DO $$ BEGIN FOR i IN 1..300 LOOP INSERT INTO noise VALUES (100000 + i, 'x'); COMMIT; \
        PERFORM pg_sleep(0.02); END LOOP; END $$",
    );
    let made = db.tg(&["create", "--method", "basebackup", "--verify"]);
    writer.wait().unwrap();
    ok(&made);
    assert_eq!(
        (&made.data["tables"], &made.data["verification"]["outcome"]),
        (&0.into(), &"verified".into()),
        "{made:?}"
    );
    assert!(made.data["verification"]["depth"].is_null(), "{made:?}");
}

/// Sets pgBackRest up in the server's container, with its repository in a volume.
fn set_up_pgbackrest(db: &Database) {
    let configuration = "[global]\nrepo1-path=/var/lib/pgbackrest\nrepo1-retention-full=9\nprocess-max=2\ncompress-type=zst\n\n\
        [lab]\npg1-path=/var/lib/postgresql/data\npg1-user=terragnos\npg1-database=postgres\n";
    db.inside(
        &["sh", "-c", "cat >/etc/pgbackrest.conf && chown postgres /etc/pgbackrest.conf"],
        configuration.as_bytes(),
    );
    db.psql("postgres", "ALTER SYSTEM SET archive_mode = on");
    db.psql("postgres", "ALTER SYSTEM SET archive_command = 'pgbackrest --stanza=lab archive-push %p'");
    db.compose(&["restart", "db"]);
    db.await_server();
    let clean = "rm -rf /var/lib/pgbackrest/*; pgbackrest --stanza=lab stanza-create && pgbackrest --stanza=lab check";
    let words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c", clean];
    db.inside(&words, b"");
}

fn take_down_pgbackrest(db: &Database) {
    db.psql("postgres", "ALTER SYSTEM RESET archive_mode");
    db.psql("postgres", "ALTER SYSTEM RESET archive_command");
    db.compose(&["restart", "db"]);
    db.await_server();
}

#[test]
fn pgbackrest_is_driven_where_a_stanza_is_configured() {
    let _alone = alone();
    let db = &Database::create("pgbackrest", &noise(8));
    db.inside(&["sh", "-c", "rm -rf /etc/pgbackrest.conf /var/lib/pgbackrest/*"], b"");
    let words = ["create", "--method", "pgbackrest", "--verify"];
    let refused = db.tg(&words);
    assert_eq!((refused.exit, refused.code()), (10, "no-stanza".into()), "{refused:?}");
    assert_eq!(db.in_store(), (vec![], vec![]));
    set_up_pgbackrest(db);
    let whole = db.tg(&words);
    ok(&whole);
    assert_eq!(whole.data["verification"]["outcome"], "verified", "{whole:?}");
    let text = fs::read_to_string(whole.text("manifest")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let label = manifest["physical"]["label"].as_str().unwrap().to_owned();
    assert_eq!(manifest["physical"]["stanza"], "lab");
    db.sql("INSERT INTO noise SELECT g, gen_random_bytes(64) FROM generate_series(8193, 8292) AS g");
    let more = db.tg(&["create", "--method", "pgbackrest", "--incremental", "--verify"]);
    ok(&more);
    ok(&db.tg(&["check", "--verified", "--intact"]));
    let second = db.tg(&words);
    ok(&second);
    let pruned = db.tg(&["prune", "--keep-last", "1"]);
    assert_eq!((pruned.exit, &pruned.data["removed"]), (0, &2.into()), "{pruned:?}");
    let postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    let info = [&postgres[..], &["pgbackrest", "--stanza=lab", "info"]].concat();
    assert!(!String::from_utf8(db.inside(&info, b"")).unwrap().contains(&label), "{label} is expired");
    // Damage in the repository: a file of the newest backup.
    let find = "f=$(find /var/lib/pgbackrest/backup/lab -path '*pg_data/base*' -type f -size +100k | head -n 1); \
        printf x | dd of=\"$f\" bs=1 seek=5000 conv=notrunc 2>/dev/null; rm -rf /tmp/x; ls \"$f\"";
    db.inside(&["sh", "-ec", find], b"");
    let verified = db.tg(&["verify", &second.text("id")]);
    assert_eq!((verified.exit, verified.text("outcome")), (1, "not-restorable".into()), "{verified:?}");
    take_down_pgbackrest(db);
    assert_eq!((db.in_store().1, db.left_in_docker()), (vec![], vec![]));
}
