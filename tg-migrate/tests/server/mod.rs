//! A database of its own on a server of the lab's, and the tool on it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

pub(crate) const USER: &str = "terragnos";
const SLEEPING: &str = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";

pub(crate) struct Database {
    pub(crate) name: String,
    stack: PathBuf,
    pub(crate) dir: tempfile::TempDir,
}

impl Database {
    pub(crate) fn create(short: &str, content: &str) -> Self {
        let own = || concat!(env!("CARGO_MANIFEST_DIR"), "/../.lab/stack").into();
        let stack: PathBuf = std::env::var_os("TG_LAB_STACK").unwrap_or_else(own).into();
        let name = format!("mg_{short}_{}", std::process::id());
        let database = Database { name, stack, dir: tempfile::tempdir().unwrap() };
        let password = std::fs::read_to_string(database.stack.join("secrets/db_password")).unwrap();
        database.connect_as(USER, password.trim());
        database.psql("postgres", &format!("CREATE DATABASE {} TEMPLATE template0", database.name));
        database.psql(&database.name, content);
        database
    }

    /// Whom the tool connects as from now on.
    pub(crate) fn connect_as(&self, user: &str, password: &str) {
        let url = format!("postgres://{user}:{password}@db:5432/{}", self.name);
        std::fs::write(self.dir.path().join("url"), url).unwrap();
    }

    /// A session of the superuser's that does something until it is ended.
    pub(crate) fn hold(&self, what: &str) -> std::process::Child {
        let sql = format!("SELECT {what}, pg_sleep(60)");
        let holder =
            self.client(&self.name, &sql).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while self.psql(&self.name, &format!("SELECT count(*) {SLEEPING}")) == "0\n" {}
        holder
    }

    pub(crate) fn release(&self, mut holder: std::process::Child) {
        self.psql(&self.name, &format!("SELECT pg_terminate_backend(pid) {SLEEPING}"));
        holder.wait().unwrap();
    }

    pub(crate) fn inside(&self, script: &str) -> String {
        let mut command = Command::new("docker");
        command
            .args(["compose", "--project-directory"])
            .arg(&self.stack)
            .args(["exec", "-T", "db", "bash", "-c", script]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn client(&self, database: &str, sql: &str) -> Command {
        let mut command = Command::new("docker");
        command
            .args(["compose", "--project-directory"])
            .arg(&self.stack)
            .args(["exec", "-T", "db", "psql", "-X", "-q", "-At"]);
        command.args(["-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database, "-c", sql]);
        command
    }

    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let output = self.client(database, sql).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Exit code, records and result of a run of the tool.
    pub(crate) fn tg(&self, words: &[&str]) -> (i32, Vec<Value>, Value) {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tg-migrate"));
        command
            .arg("-q")
            .arg("-C")
            .arg(&self.stack)
            .args(words)
            .env_remove("TG_RUN_ID")
            .env("TG_API", "db")
            .env("TG_MIGRATE", "db");
        command.env("TG_LOCK_DIR", self.dir.path());
        command.arg("--state-dir").arg(self.dir.path().join("state"));
        command.arg("--database-url-file").arg(self.dir.path().join("url"));
        let output = command.output().unwrap();
        let lines: Vec<Value> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let of = |kind: &str| {
            lines.iter().filter(|l| l["type"] == kind).map(|l| l["data"].clone()).collect::<Vec<_>>()
        };
        (output.status.code().unwrap(), of("record"), of("result").pop().unwrap_or_default())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.psql("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}
