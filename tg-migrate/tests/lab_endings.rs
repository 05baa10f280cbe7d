//! How a migration ended is what the server shows, whatever the migrator says: real migrators (psql in a container) on a real server.
//! `TG_LAB_STACK=$PWD/.lab/pg18 cargo test -p tg-migrate --features lab --test lab_endings`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const USER: &str = "terragnos";
const ROWS: &str =
    "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 500); CREATE SEQUENCE q;";

/// A database, and a project with a migrator for it.
struct Project {
    database: String,
    stack: PathBuf,
    dir: tempfile::TempDir,
}

/// How a run of the tool ended.
#[derive(Debug)]
struct Run {
    exit: i32,
    result: Value,
    /// Of the step `migrate`.
    outcome: Value,
    took: Duration,
}

impl Run {
    fn code(&self) -> &str {
        self.result["error"]["code"].as_str().unwrap_or_default()
    }
}

impl Project {
    /// The migrator is a shell script; `psql` in it is connected to the database.
    fn new(short: &str, migrator: &str) -> Self {
        let own = || concat!(env!("CARGO_MANIFEST_DIR"), "/../.lab/stack").into();
        let stack: PathBuf = std::env::var_os("TG_LAB_STACK").unwrap_or_else(own).into();
        let database = format!("me_{short}_{}", std::process::id());
        let project = Project { database, stack, dir: tempfile::tempdir().unwrap() };
        let password = std::fs::read_to_string(project.stack.join("secrets/db_password")).unwrap();
        let url = format!("postgres://{USER}:{}@db:5432/{}", password.trim(), project.database);
        std::fs::write(project.path("url"), url).unwrap();
        let service = serde_json::json!({"services": {project.service(): {
            "image": project.image(), "entrypoint": ["bash", "-c", migrator], "profiles": ["setup"],
            "environment": {"PGHOST": "db", "PGUSER": USER, "PGPASSWORD": password.trim(), "PGDATABASE": project.database},
        }}});
        std::fs::write(project.path("migrator.json"), service.to_string()).unwrap();
        project.psql("postgres", &format!("CREATE DATABASE {} TEMPLATE template0", project.database));
        project.sql(ROWS);
        project
    }

    fn service(&self) -> String {
        self.database.replace('_', "-")
    }

    /// The server's own, which has psql.
    fn image(&self) -> String {
        let output = self.compose(&["config", "--images"]).output().unwrap();
        let images = String::from_utf8(output.stdout).unwrap();
        images.lines().find(|image| image.contains("postgres")).unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn compose(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(&self.stack).args(words).stderr(Stdio::null());
        command
    }

    fn client(&self, database: &str, sql: &str) -> Command {
        self.compose(&[
            "exec",
            "-T",
            "db",
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            USER,
            "-d",
            database,
            "-c",
            sql,
        ])
    }

    fn psql(&self, database: &str, sql: &str) -> String {
        let output = self.client(database, sql).output().unwrap();
        assert!(output.status.success(), "{sql}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn sql(&self, sql: &str) -> String {
        self.psql(&self.database, sql)
    }

    /// A session beside the migrator that does nothing.
    fn bystander(&self) -> Bystander<'_> {
        let sql = "SELECT pg_sleep(120) AS bystander";
        let child = self.client(&self.database, sql).stdout(Stdio::null()).spawn().unwrap();
        let there = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%bystander' AND wait_event = 'PgSleep' AND datname = current_database()";
        while self.sql(there) != "1" {}
        Bystander { project: self, child }
    }

    fn tg(&self, words: &[&str]) -> Run {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tg-migrate"));
        command.arg("-q").arg("-C").arg(&self.stack).arg("-f").arg(self.stack.join("compose.yaml"));
        command.arg("-f").arg(self.path("migrator.json")).args(words);
        command.env("TG_API", "db").env("TG_MIGRATE", self.service()).env("TG_RUN_ID", self.service());
        command.env("TG_LOCK_DIR", self.dir.path());
        command.arg("--state-dir").arg(self.path("state")).arg("--database-url-file").arg(self.path("url"));
        let begun = Instant::now();
        let output = command.output().unwrap();
        let took = begun.elapsed();
        let lines: Vec<Value> = output
            .stdout
            .split(|b| *b == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        let last = |kind: &str, of: &dyn Fn(&Value) -> bool| {
            lines
                .iter()
                .rfind(|l| l["type"] == kind && of(&l["data"]))
                .map(|l| l["data"].clone())
                .unwrap_or_default()
        };
        let result = last("result", &|_| true);
        assert_eq!(
            result["exit"],
            output.status.code().unwrap_or(-1),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Run {
            exit: output.status.code().unwrap(),
            outcome: last("step", &|data| data["step"] == "migrate" && data["state"] != "started"),
            result,
            took,
        }
    }

    fn migrate(&self, more: &[&str]) -> Run {
        self.tg(&[&["--accept", "no-backup"], more].concat())
    }

    /// Whether the run has changed the database, by the tool's exit code.
    fn changed(&self) -> i32 {
        self.tg(&["changed"]).exit
    }

    fn sessions(&self) -> String {
        self.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tg-migrate:%'")
    }

    fn containers(&self) -> String {
        let filter = format!("label=com.docker.compose.service={}", self.service());
        let output = Command::new("docker").args(["ps", "-q", "--filter", &filter]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

struct Bystander<'a> {
    project: &'a Project,
    child: Child,
}

impl Drop for Bystander<'_> {
    fn drop(&mut self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%bystander' AND datname = current_database()";
        self.project.sql(end);
        self.child.wait().unwrap();
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.psql("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database));
    }
}

#[test]
fn rows_that_a_failed_migrator_deleted_in_autocommit_are_no_clean_failure_whoever_else_is_connected() {
    let project = Project::new("auto", "psql -qc 'DELETE FROM t'; exit 1");
    for beside in [false, true] {
        project.sql("INSERT INTO t SELECT generate_series(1, 500) ON CONFLICT DO NOTHING");
        let _bystander = beside.then(|| project.bystander());
        let run = project.migrate(&[]);
        assert_eq!(run.exit, 5, "{run:?}");
        assert!(["failed-dirty", "failed-unknown"].contains(&run.code()), "{run:?}");
        assert!(run.outcome["changed"] != false, "{run:?}");
        assert_eq!(project.changed(), 0);
    }
}

#[test]
fn a_migrator_that_rolled_back_what_it_did_failed_clean_whoever_else_is_connected() {
    let script = "psql -v ON_ERROR_STOP=1 -q <<<'BEGIN; DELETE FROM t; ALTER TABLE t ADD COLUMN n int; SELECT 1 / 0; COMMIT;'";
    let project = Project::new("rolled", script);
    let _bystander = project.bystander();
    let run = project.migrate(&[]);
    // Autovacuum may have committed a transaction of its own meanwhile, which nobody can tell from the migrator's.
    let clean = run.exit == 3 && run.code() == "failed-clean" && run.outcome["changed"] == false;
    let untold = run.exit == 5 && run.outcome["transactions_committed"].as_i64() > Some(0);
    assert!(clean || untold, "{run:?}");
    assert_eq!(project.changed(), i32::from(clean));
    assert_eq!(project.sql("SELECT count(*) FROM t"), "500");
}

#[test]
fn a_sequence_that_moved_in_a_transaction_that_was_rolled_back_has_moved() {
    let project = Project::new("drawn", "psql -q <<<\"BEGIN; SELECT setval('q', 77); ROLLBACK;\"; exit 1");
    let run = project.migrate(&[]);
    assert_eq!(run.exit, 5, "{run:?}");
    assert_eq!(run.outcome["sequences_moved"][0], "public.q");
}

#[test]
fn a_prepared_transaction_that_a_migrator_left_is_not_as_before() {
    // Prepared transactions are off in most servers, and then the migrator fails and leaves nothing.
    let project =
        Project::new("twophase", "psql -q <<<\"BEGIN; DELETE FROM t; PREPARE TRANSACTION 'left';\"; exit 1");
    let possible = project.sql("SHOW max_prepared_transactions") != "0";
    let run = project.migrate(&[]);
    if possible {
        project.sql("ROLLBACK PREPARED 'left'");
        assert_eq!(run.exit, 5, "{run:?}");
    } else {
        assert!([3, 5].contains(&run.exit), "{run:?}");
    }
}

#[test]
fn a_migrator_that_ignores_signals_ends_with_the_deadline_and_its_sessions_with_it() {
    let script = "trap '' TERM; for _ in {1..20}; do psql -qc 'SELECT pg_sleep(600)' & done; wait; wait";
    let project = Project::new("deaf", script);
    let run = project.migrate(&["--timeout", "8s"]);
    assert_eq!(run.exit, 124, "{run:?}");
    assert_eq!((project.sessions().as_str(), project.containers().as_str()), ("0", ""));
    assert!(run.took < Duration::from_mins(1), "{run:?}");
    let told = run.result["error"]["message"].as_str().unwrap();
    assert_eq!(run.outcome["changed"] == false, told.ends_with("as before"), "{run:?}");
}

#[test]
fn a_migrator_that_works_on_another_database_has_changed_nothing_in_this_one() {
    let script = "psql -q -d postgres -c \"CREATE TABLE IF NOT EXISTS tg_elsewhere_$$ (); DROP TABLE tg_elsewhere_$$\"";
    let project = Project::new("elsewhere", script);
    let run = project.migrate(&[]);
    assert_eq!((run.exit, &run.outcome["changed"]), (0, &Value::Bool(false)), "{run:?}");
    let line = std::fs::read_to_string(journal(&project)).unwrap();
    let msg = line.lines().last().unwrap();
    assert!(msg.contains(&format!("changed nothing in {}", project.database)), "{msg}");
}

fn journal(project: &Project) -> PathBuf {
    project.path("state/runs").join(project.service()).join("1-tg-migrate.jsonl")
}

#[test]
fn what_can_not_be_looked_at_is_never_a_no_change() {
    let project = Project::new("dark", "psql -qc 'DELETE FROM t'; exit 1");
    assert_eq!(project.migrate(&[]).exit, 5);
    // The journal can't be read.
    let path = journal(&project);
    let kept = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(project.changed() > 1);
    std::fs::remove_dir(&path).unwrap();
    // What was seen at its end is lost: the database itself is asked.
    let intent =
        kept.split_inclusive(|b| *b == b'\n').filter(|line| !line.windows(8).any(|w| w == b"\"failed\""));
    std::fs::write(&path, intent.collect::<Vec<_>>().concat()).unwrap();
    assert_eq!(project.changed(), 0);
    // The server can't be asked, either.
    std::fs::write(project.path("url"), "postgres://u:p@127.0.0.1:1/d").unwrap();
    assert_eq!(project.changed(), 10);
}
