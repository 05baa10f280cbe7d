//! A database of a test's own in a real server, and the tool pointed at it.

#![allow(dead_code, reason = "each test file uses another part")]

mod standby;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};
use serde_json::Value;

/// The lab's role, a superuser.
const USER: &str = "terragnos";

/// A database that goes with the test.
pub(crate) struct Database {
    pub(crate) name: String,
    stack: PathBuf,
    address: String,
    password: String,
    dir: tempfile::TempDir,
}

/// A finished run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// The result, which repeats the exit code.
    pub(crate) fn result(&self) -> &Value {
        let last = self.lines.last().unwrap_or_else(|| panic!("no result: {}", self.stderr));
        assert_eq!((&last["type"], &last["data"]["exit"]), (&"result".into(), &self.exit.into()));
        &last["data"]
    }

    /// The sentence of the result.
    pub(crate) fn msg(&self) -> &str {
        self.lines.last().and_then(|line| line["msg"].as_str()).unwrap_or_default()
    }

    fn of(&self, kind: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["type"] == kind).map(|line| &line["data"]).collect()
    }

    pub(crate) fn records(&self) -> Vec<&Value> {
        self.of("record")
    }

    pub(crate) fn warnings(&self) -> Vec<&Value> {
        self.of("warning")
    }

    /// The record of a table.
    pub(crate) fn table(&self, name: &str) -> &Value {
        let records = self.records();
        records
            .into_iter()
            .find(|record| record["table"] == name)
            .unwrap_or_else(|| panic!("{name}: {self:?}"))
    }

    /// Whether a warning has this code.
    pub(crate) fn warned(&self, code: &str) -> bool {
        self.warnings().iter().any(|warning| warning["code"] == code)
    }
}

/// The Compose project whose server it is: that of `TG_LAB_STACK`, or this repository's own.
fn stack() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.lab/stack").into();
    std::env::var_os("TG_LAB_STACK").unwrap_or_else(own).into()
}

impl Database {
    /// A database with this content.
    pub(crate) fn create(short: &str, content: &str) -> Self {
        let stack = stack();
        let password = std::fs::read_to_string(stack.join("secrets/db_password")).unwrap();
        let name = format!("vac_{short}_{}", std::process::id());
        let database = Database {
            name,
            address: address(&stack),
            password: password.trim().to_owned(),
            stack,
            dir: tempfile::tempdir().unwrap(),
        };
        // template0: nobody else can be connected to it.
        database
            .server("postgres")
            .batch_execute(&format!("CREATE DATABASE {} TEMPLATE template0", database.name))
            .unwrap();
        std::fs::write(database.path("url"), database.url(USER, &database.password)).unwrap();
        database.sql(content);
        database
    }

    fn url(&self, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@db:5432/{}", self.name)
    }

    /// From now on the tool is this role, which has this password.
    pub(crate) fn be(&self, role: &str, password: &str) {
        std::fs::write(self.path("url"), self.url(role, password)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn server(&self, database: &str) -> Client {
        connect(&self.address, &self.password, database)
    }

    pub(crate) fn client(&self) -> Client {
        self.server(&self.name)
    }

    pub(crate) fn major(&self) -> i32 {
        self.one::<String>("SELECT current_setting('server_version_num')").parse::<i32>().unwrap() / 10_000
    }

    /// Statement by statement: one of them may be one that no transaction can hold. Before a VACUUM the session ends, so that what it has
    /// counted is not counted after what the VACUUM says.
    pub(crate) fn sql(&self, script: &str) {
        let mut client = self.client();
        for statement in script.split(";\n").filter(|text| !text.trim().is_empty()) {
            if statement.trim_start().starts_with("VACUUM") {
                drop(client);
                client = self.client();
            }
            client.batch_execute(statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        }
    }

    pub(crate) fn one<T: for<'a> postgres::types::FromSql<'a>>(&self, query: &str) -> T {
        self.client().query_one(query, &[]).unwrap().get(0)
    }

    /// Waits until a query says true.
    pub(crate) fn until(&self, query: &str) {
        let mut client = self.client();
        while !client.query_one(query, &[]).unwrap().get::<_, bool>(0) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the server as a power cut would, starts it anew, and waits until it has recovered.
    pub(crate) fn crash(&mut self) {
        let id = container(&self.stack);
        docker(&["kill", "--signal", "KILL", &id]);
        docker(&["start", &id]);
        let begun = Instant::now();
        while self.recovered().is_none() {
            assert!(begun.elapsed() < Duration::from_mins(1), "{}", docker(&["logs", "--tail", "20", &id]));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Where the server answers again, which may be at another address.
    fn recovered(&mut self) -> Option<()> {
        self.address = address(&self.stack);
        config(&self.address, &self.password, &self.name).connect(NoTls).ok().map(drop)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tg-vacuum"));
        for name in ["TG_RUN_ID", "TG_FORMAT", "TG_TIMEOUT", "TG_DATABASE_URL_FILE"] {
            command.env_remove(name);
        }
        command.arg("-q").args(words).arg("-C").arg(&self.stack);
        command.env("TG_LOCK_DIR", self.path("."));
        command.arg("--state-dir").arg(self.path("state")).arg("--database-url-file").arg(self.path("url"));
        command
    }

    pub(crate) fn vacuum(&self, words: &[&str]) -> Ran {
        let begun = Instant::now();
        Self::read(begun, self.command(words).stdin(Stdio::null()).output().unwrap())
    }

    /// With this as its input.
    pub(crate) fn vacuum_from(&self, input: &str, words: &[&str]) -> Ran {
        let begun = Instant::now();
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        Self::read(begun, child.wait_with_output().unwrap())
    }

    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn end(child: Child) -> Ran {
        Self::read(Instant::now(), child.wait_with_output().unwrap())
    }

    fn read(begun: Instant, output: Output) -> Ran {
        let text = String::from_utf8(output.stdout).unwrap();
        Ran {
            exit: output.status.code().unwrap(),
            lines: text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            took: begun.elapsed(),
        }
    }
}

fn config(address: &str, password: &str, database: &str) -> Config {
    let mut config = Config::new();
    config.host(address).user(USER).password(password).dbname(database).application_name("test");
    config
}

fn connect(address: &str, password: &str, database: &str) -> Client {
    config(address, password, database).connect(NoTls).unwrap()
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropped = self.server("postgres").batch_execute(&drop);
        assert!(dropped.is_ok() || std::thread::panicking(), "{dropped:?}");
    }
}

/// Where this host reaches the server.
fn address(stack: &Path) -> String {
    inspect(&container(stack))
}

fn container(stack: &Path) -> String {
    docker(&["compose", "--project-directory", stack.to_str().unwrap(), "ps", "-q", "db"])
}

fn inspect(container: &str) -> String {
    docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container])
}

fn docker(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
