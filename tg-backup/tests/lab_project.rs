//! The tool in a Compose project of its own, with an application that has its own connection: on the images of the lab,
//! `cargo test -p tg-backup --features lab --test lab_project`. `TG_LAB_MAJOR` names another server than 17.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::Value;

/// How long something may take that comes at once.
const PATIENCE: Duration = Duration::from_mins(2);

/// A project with a database service and an application, gone when this is dropped.
struct Stack {
    dir: tempfile::TempDir,
    name: String,
    environment: Vec<(String, String)>,
}

/// The lines that the tool printed, and its exit code.
#[derive(Debug)]
struct Outcome {
    exit: i32,
    lines: Vec<Value>,
    stderr: String,
}

impl Outcome {
    fn data(&self) -> &Value {
        &self.lines.last().unwrap()["data"]
    }

    fn warning(&self, code: &str) -> Option<&Value> {
        let warned = |line: &&Value| line["type"] == "warning" && line["data"]["code"] == code;
        self.lines.iter().find(warned).map(|line| &line["data"])
    }
}

fn checked(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Stack {
    /// Starts a server with the databases `postgres`, which is empty, and `default`, which has one table; beside it the
    /// application, with this environment and this command.
    fn start(test: &str, environment: &str, command: &str) -> Self {
        let major = std::env::var("TG_LAB_MAJOR").unwrap_or_else(|_| "17".into());
        let dir = tempfile::tempdir().unwrap();
        let name = format!("right-{test}-{}", std::process::id());
        let compose = format!(
            "name: {name}\nx-tg: {{ api: [server], migrate: server }}\nservices:\n  server:\n    image: tg-lab/postgres:{major}\n    \
             pull_policy: never\n    init: true\n    entrypoint: [sh, -c]\n    command: [\"{command}\"]\n    environment: {{ {environment} }}\n  \
             db:\n    image: tg-lab/postgres:{major}\n    pull_policy: never\n    environment: {{ POSTGRES_USER: postgres, POSTGRES_PASSWORD: pw }}\n"
        );
        std::fs::write(dir.path().join("compose.yaml"), compose).unwrap();
        let stack = Stack { dir, name, environment: Vec::new() };
        checked(stack.compose(&["up", "-d", "--quiet-pull", "db"]));
        // Over TCP: the server that makes the cluster listens on its socket alone.
        let ready = ["exec", "-T", "db", "pg_isready", "-q", "-h", "127.0.0.1"];
        stack.await_that("the server lets us in", || stack.compose(&ready).status.success());
        checked(stack.psql("postgres", "CREATE DATABASE \"default\""));
        checked(stack.psql("default", "CREATE TABLE kept AS SELECT 1 AS one"));
        checked(stack.compose(&["up", "-d", "server"]));
        stack
    }

    fn await_that(&self, what: &str, so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", self.compose(&["logs"]));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn compose(&self, words: &[&str]) -> Output {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(self.dir.path()).args(words).output().unwrap()
    }

    fn psql(&self, database: &str, sql: &str) -> Output {
        self.compose(&[
            "exec",
            "-T",
            "db",
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-d",
            database,
            "-c",
            sql,
        ])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Names the database by a file, for every run from now on.
    fn set_url(&mut self, url: &str) {
        std::fs::write(self.path("url"), url).unwrap();
        self.environment = vec![("TG_DATABASE_URL_FILE".into(), self.path("url").display().to_string())];
    }

    fn tg(&self, words: &[&str]) -> Outcome {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tg-backup"));
        for name in ["TG_RUN_ID", "TG_DATABASE_URL", "TG_DATABASE_URL_FILE", "PGSSLMODE", "PGSSLROOTCERT"] {
            command.env_remove(name);
        }
        command.arg("-C").arg(self.dir.path()).args(words).envs(self.environment.iter().cloned());
        let output = command.env("TG_FORMAT", "json").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        Outcome {
            exit: output.status.code().unwrap(),
            lines: text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn address(&self) -> String {
        let id = checked(self.compose(&["ps", "-q", "db"]));
        let form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        checked(Command::new("docker").args(["inspect", "-f", form, &id]).output().unwrap())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.compose(&["down", "--volumes", "--timeout", "1"]);
        let label = format!("label=com.docker.compose.project={}", self.name);
        let left = Command::new("docker").args(["ps", "-aq", "--filter", &label]).output().unwrap();
        assert!(left.stdout.is_empty() || std::thread::panicking());
    }
}

#[test]
fn the_database_that_the_application_names_is_backed_up_and_not_the_one_that_the_server_was_made_with() {
    let url = "PG_DATABASE_URL: \"postgres://postgres:pw@db/default?schema=public\"";
    let stack = &mut Stack::start("named", url, "sleep infinity");
    checked(stack.psql("postgres", "CREATE DATABASE beside"));
    checked(stack.psql("beside", "CREATE TABLE t ()"));
    let made = stack.tg(&["create"]);
    assert_eq!(
        (made.exit, &made.data()["database"], &made.data()["tables"]),
        (0, &"default".into(), &1.into()),
        "{made:?}"
    );
    let differs = made.warning("database-differs").unwrap();
    assert_eq!((&differs["other"], &differs["database"]), (&"postgres".into(), &"default".into()));
    let others = &made.warning("other-databases").unwrap()["databases"];
    assert_eq!((&others[0]["name"], &others[0]["tables"]), (&"beside".into(), &1.into()), "{made:?}");
    assert_eq!(others.as_array().unwrap().len(), 1, "an empty one holds nothing to name: {made:?}");
    assert!(made.warning("empty-database").is_none());
    for words in [&["check"][..], &["databases"]] {
        let outcome = stack.tg(words);
        assert_eq!(outcome.exit, 0, "{outcome:?}");
    }
    // What a setting names instead is told, and no gate lets it pass.
    stack.set_url("postgres://postgres:pw@db/postgres");
    let wrong = stack.tg(&["create"]);
    assert_eq!((wrong.exit, &wrong.data()["tables"]), (0, &0.into()), "{wrong:?}");
    assert!(
        wrong.warning("empty-database").is_some() && wrong.warning("database-differs").is_some(),
        "{wrong:?}"
    );
    for command in ["check", "databases"] {
        let refused = stack.tg(&[command]);
        assert_eq!(refused.exit, 1, "{refused:?}");
        let half = stack.tg(&[command, "--accept", "other-database"]);
        assert_eq!(half.exit, 1, "{half:?}");
        assert!(
            half.data()["reason"].as_str().unwrap().contains("no tables") || command == "check",
            "{half:?}"
        );
        let accepted = stack.tg(&[command, "--accept", "other-database", "--accept", "empty-database"]);
        assert_eq!(accepted.exit, 0, "{accepted:?}");
    }
}

#[test]
fn where_no_variable_says_it_the_sessions_of_the_application_do() {
    let session = "sleep 1; exec psql -h db -U postgres -d default -c 'select pg_sleep(3600)'";
    let stack = Stack::start("sessions", "PGPASSWORD: pw", session);
    checked(stack.psql("postgres", "CREATE TABLE t ()"));
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    stack.await_that("the application is there", || checked(stack.psql("postgres", asleep)) == "1");
    let made = stack.tg(&["create", "--dry-run"]);
    assert_eq!(made.exit, 0, "{made:?}");
    assert_eq!(made.warning("database-differs").unwrap()["other"], "default", "{made:?}");
    let refused = stack.tg(&["databases"]);
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused.data()["reason"].as_str().unwrap().contains("sessions in database default"),
        "{refused:?}"
    );
}

#[test]
fn two_databases_of_the_application_are_named_and_none_is_taken() {
    let urls = "A_URL: \"postgres://postgres:pw@db/default\", B_URL: \"postgres://postgres:pw@db/other\"";
    let stack = &mut Stack::start("two", urls, "sleep infinity");
    let unclear = stack.tg(&["create"]);
    assert_eq!(
        (unclear.exit, &unclear.data()["error"]["code"]),
        (10, &"which-database".into()),
        "{unclear:?}"
    );
    assert!(unclear.stderr.contains("A_URL") && unclear.stderr.contains("B_URL"), "{unclear:?}");
    stack.set_url("postgres://postgres:pw@db/default");
    let told = stack.tg(&["create"]);
    assert_eq!((told.exit, &told.data()["database"]), (0, &"default".into()), "{told:?}");
}

/// A server that lets in who comes encrypted, and nobody else.
fn encrypt(stack: &Stack, address: &str) {
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "tg test");
    let (ca_key, key, stranger) =
        (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    std::fs::write(stack.path("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    std::fs::write(stack.path("other.pem"), ca.self_signed(&stranger).unwrap().pem()).unwrap();
    let mut own = CertificateParams::new(vec!["db".to_owned()]).unwrap();
    own.subject_alt_names.push(SanType::IpAddress(address.parse::<IpAddr>().unwrap()));
    std::fs::write(stack.path("server.crt"), own.signed_by(&key, &Issuer::new(ca, &ca_key)).unwrap().pem())
        .unwrap();
    std::fs::write(stack.path("server.key"), key.serialize_pem()).unwrap();
    for file in ["server.crt", "server.key"] {
        checked(stack.compose(&["cp", &stack.path(file).display().to_string(), &format!("db:/tmp/{file}")]));
    }
    let install = "for f in server.crt server.key; do install -o postgres -m 600 /tmp/$f $PGDATA/$f; done; \
        sed -i 's/^host  all /hostssl all /' $PGDATA/pg_hba.conf";
    checked(stack.compose(&["exec", "-T", "db", "sh", "-c", install]));
    checked(stack.psql("postgres", "ALTER SYSTEM SET ssl = on"));
    checked(stack.psql("postgres", "SELECT pg_reload_conf()"));
    stack.await_that("the server speaks TLS", || checked(stack.psql("postgres", "SHOW ssl")) == "on");
}

#[test]
fn a_server_that_wants_tls_gets_it_by_default_and_a_proof_where_the_url_asks_for_one() {
    let stack =
        &mut Stack::start("tls", "DATABASE_URL: \"postgres://postgres:pw@db/default\"", "sleep infinity");
    let address = stack.address();
    encrypt(stack, &address);
    // The project's own server, its clients in its network namespace too.
    let made = stack.tg(&["create"]);
    assert_eq!(made.exit, 0, "{made:?}");
    let (ca, other) =
        (stack.path("ca.pem").display().to_string(), stack.path("other.pem").display().to_string());
    for (host, query, exit) in [
        (address.as_str(), String::new(), 0),
        (&address, "?sslmode=allow".into(), 0),
        (&address, "?sslmode=require".into(), 0),
        (&address, "?sslmode=disable".into(), 10),
        (&address, format!("?sslmode=require&sslrootcert={other}"), 10),
        (&address, format!("?sslmode=verify-full&sslrootcert={ca}"), 0),
        (&address, format!("?sslmode=verify-full&sslrootcert={other}"), 10),
        (&address, "?sslmode=verify-full".into(), 10),
        // A name of the service is what the certificate must be of, however it is reached.
        ("db", format!("?sslmode=verify-full&sslrootcert={ca}"), 0),
        (&format!("{}-db-1", stack.name), format!("?sslmode=verify-full&sslrootcert={ca}"), 10),
        (&format!("{}-db-1", stack.name), format!("?sslmode=verify-ca&sslrootcert={ca}"), 0),
    ] {
        let host = host.to_owned();
        stack.set_url(&format!("postgres://postgres:pw@{host}/default{query}"));
        let outcome = stack.tg(&["plan"]);
        assert_eq!(outcome.exit, exit, "{host} {query}: {outcome:?}");
    }
    // A backup by this host's clients, where it has them, is made the same way.
    stack.set_url(&format!("postgres://postgres:pw@{address}/default?sslmode=verify-full&sslrootcert={ca}"));
    let made = stack.tg(&["create"]);
    assert!(
        made.exit == 0
            || made.data()["error"]["code"] == "client-too-old"
            || made.data()["error"]["code"] == "program-missing",
        "{made:?}"
    );
}
