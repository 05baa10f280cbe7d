//! A rehearsal beside a live database that it must never reach: with the lab's images,
//! `cargo test -p tg-migrate --features lab --test rehearse`.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

const DATABASE: &str = "tg-lab/postgres:17";
const APPLICATION: &str = "localhost:5000/terragnos-core";
const RELEASE: &str = "1.4.0";
/// What `node -e` runs has `connect(where)`, which gives nothing where no server lets it in.
const CONNECT: &str = "const { Client } = require('pg');
    const connect = async (where) => {
      const client = new Client({ user: 'app', password: 'app-password', database: 'app', connectionTimeoutMillis: 30000, ...where });
      client.on('error', () => 0);
      return client.connect().then(() => client, () => null);
    };";
const SERVE: &str = "connect({ host: 'db' }).then(() =>
    require('http').createServer((_, answer) => answer.end('{\"status\":\"ok\"}')).listen(3000));";

/// A Compose project of its own, with a database that is up.
struct Project {
    dir: tempfile::TempDir,
    name: String,
}

impl Project {
    /// `change` makes what is particular of a plain project: its document, and its directory.
    fn up(short: &str, change: impl FnOnce(&mut Value, &Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = Project { name: format!("tg-isolate-{short}-{}", std::process::id()), dir };
        for shared in ["run", "conf"] {
            let path = project.path(shared);
            std::fs::create_dir(&path).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        }
        std::fs::write(project.path("conf/file"), "text").unwrap();
        let mut model = json!({
            "name": project.name,
            "x-tg": {"migrate": "migrate", "health_path": "/", "smoke": ["node -e 0"]},
            "services": {
                "db": {"image": DATABASE, "pull_policy": "never",
                    "environment": {"POSTGRES_USER": "app", "POSTGRES_DB": "app", "POSTGRES_PASSWORD": "app-password"},
                    "volumes": ["./run:/var/run/postgresql"],
                    "healthcheck": {"test": ["CMD", "pg_isready", "-q", "-h", "127.0.0.1", "-U", "app"], "interval": "1s", "retries": 60}},
                "api": {"image": format!("{APPLICATION}:{RELEASE}"), "pull_policy": "never", "command": node(SERVE)},
                "migrate": {"image": format!("{APPLICATION}:{RELEASE}"), "pull_policy": "never", "profiles": ["setup"]},
            },
        });
        change(&mut model, project.dir.path());
        std::fs::write(project.path("compose.yaml"), model.to_string()).unwrap();
        project.must(&["up", "-d", "--wait", "db"]);
        project.psql("CREATE TABLE t (id int PRIMARY KEY)");
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn must(&self, words: &[&str]) -> String {
        let mut command = Command::new("docker");
        command.args(["compose", "--progress", "quiet", "--project-directory"]).arg(self.dir.path());
        text(&command.args(words).output().unwrap())
    }

    fn psql(&self, sql: &str) -> String {
        self.must(&[
            "exec",
            "-T",
            "db",
            "psql",
            "-X",
            "-q",
            "-At",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "app",
            "-c",
            sql,
        ])
    }

    /// Backs up, and rehearses the release's own migration: exit code, records, result.
    fn rehearse(&self, words: &[&str]) -> (i32, Vec<Value>, Value) {
        text(&Command::new(env!("CARGO")).args(["build", "-q", "-p", "tg-backup"]).output().unwrap());
        let backup = assert_cmd::cargo::cargo_bin!("tg-migrate").with_file_name("tg-backup");
        text(&Command::new(backup).args(["-q", "create", "-C"]).arg(self.dir.path()).output().unwrap());
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tg-migrate"));
        command
            .args(["-q", "rehearse", "--unverified", "--from", RELEASE, "--to", RELEASE, "-C"])
            .arg(self.dir.path());
        let output =
            command.args(words).env_remove("TG_RUN_ID").env("TG_READY_TIMEOUT", "40s").output().unwrap();
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

    /// The tables that the live database has beside its own.
    fn tables(&self) -> String {
        self.psql("SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 't'")
    }

    fn containers(&self) -> String {
        let mut command = Command::new("docker");
        let label = format!("label=tg.state={}", self.path(".tg").display());
        text(&command.args(["ps", "-aq", "--filter", &label]).output().unwrap())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.must(&["down", "--volumes", "--timeout", "1"]);
    }
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn node(script: &str) -> Value {
    // Compose has a meaning for $.
    json!(["node", "-e", format!("{CONNECT} {script}").replace('$', "$$")])
}

#[test]
fn a_project_that_shares_its_socket_directory_is_rehearsed_on_the_other_server() {
    let project = Project::up("socket", |model, _| {
        let migrate = "connect({ host: '/var/run/postgresql' }).then(async (db) => {
            for (const file of ['/conf/file', '/run/secrets/file']) if (require('fs').readFileSync(file, 'utf8') !== 'text') process.exit(7);
            await db.query('CREATE TABLE IF NOT EXISTS migrated (id int)'); await db.end(); });";
        model["services"]["migrate"]["command"] = node(migrate);
        model["secrets"] = json!({"file": {"file": "./conf/file"}});
        for service in ["api", "migrate"] {
            model["services"][service]["secrets"] = json!(["file"]);
            model["services"][service]["volumes"] = json!(["./run:/var/run/postgresql", "./conf:/conf:ro"]);
        }
    });
    let (code, records, result) = project.rehearse(&["--accept-no-counterexample"]);
    assert_eq!(project.tables(), "\n", "the live database was migrated");
    assert_eq!(code, 0, "{result}");
    let isolation = records.iter().position(|r| r["kind"] == "isolation").unwrap();
    assert_eq!(records[isolation]["isolated"], true);
    let created = records.iter().position(|r| r["kind"] == "ddl" && r["tag"] == "CREATE TABLE").unwrap();
    assert!(isolation < created, "it is proven before the migrator runs");
    assert_eq!((&result["isolated"], &result["idempotent"]), (&json!(true), &json!(true)));
    let how = result["isolation"].as_array().unwrap();
    assert!(how.iter().any(|line| line.as_str().unwrap().contains("/run/postgresql:5432")), "{how:?}");
    assert_eq!(project.containers(), "");
}

#[test]
fn no_way_that_a_project_gives_its_migrator_leads_to_the_live_database() {
    // Stands for whatever this host serves at its own addresses. Nobody is accepted, but who connects is kept.
    let host = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = host.local_addr().unwrap().port();
    // Nothing is sent: the kernel says which of its addresses it would take.
    let route = UdpSocket::bind("0.0.0.0:0").unwrap();
    let _ = route.connect("192.0.2.1:9");
    let address = route.local_addr().unwrap().ip();
    let project = Project::up("ways", |model, dir| {
        // Wherever it gets in it leaves a table with the way's name.
        let migrate = "(async () => {
            const { execSync } = require('child_process');
            const gateway = execSync(`awk '$2 == \"00000000\" { print $3 }' /proc/net/route`).toString().trim();
            const bytes = gateway.match(/../g)?.reverse().map((hex) => parseInt(hex, 16)).join('.') ?? '127.0.0.1';
            const ways = { parent: '/project/run', volume: '/sockets', host: '/hostrun/tg-none', own: '/sockets2', address: process.env.ADDRESS,
              gateway: bytes, alias: 'live', internal: 'host.docker.internal' };
            const attempts = Object.entries(ways).flatMap(([name, host]) => [5432, Number(process.env.PUBLISHED)].map(async (port) => {
              const db = await connect({ host, port, connectionTimeoutMillis: 5000 });
              if (db && !(await db.query(`SELECT current_setting('tg.rehearsal', true) AS mark`)).rows[0].mark)
                await db.query(`CREATE TABLE IF NOT EXISTS escaped_by_${name} (id int)`);
              await db?.end();
            }));
            attempts.push(...[process.env.HOST, '172.17.0.1'].map((host) => new Promise((ended) => {
              const socket = require('net').connect({ host, port: Number(process.env.PORT), timeout: 5000 });
              for (const event of ['connect', 'error', 'timeout']) socket.on(event, () => { socket.destroy(); ended(); });
            })));
            await Promise.all(attempts);
            const db = await connect({ host: 'db' });
            await db.query('CREATE TABLE IF NOT EXISTS migrated (id int)');
            await db.end();
          })();";
        let services = &mut model["services"];
        services["db"]["networks"] = json!({"default": {"aliases": ["live"], "ipv4_address": "10.213.77.5"}});
        services["db"]["ports"] = json!(["15433:5432"]);
        services["migrate"]["command"] = node(migrate);
        services["migrate"]["environment"] = json!({"ADDRESS": "10.213.77.5", "PUBLISHED": "15433", "HOST": address, "PORT": port.to_string()});
        services["migrate"]["volumes"] =
            json!([".:/project", "sockets:/sockets", "./run:/sockets2", "/var/run:/hostrun"]);
        services["migrate"]["extra_hosts"] = json!(["host.docker.internal:host-gateway", "live:10.213.77.5"]);
        services["migrate"]["cap_add"] = json!(["NET_ADMIN", "SYS_ADMIN"]);
        services["migrate"]["privileged"] = json!(true);
        services["migrate"]["pid"] = json!("host");
        services["migrate"]["ipc"] = json!("host");
        let bind = json!({"type": "none", "o": "bind", "device": dir.join("run")});
        model["volumes"] = json!({"sockets": {"driver": "local", "driver_opts": bind}});
        model["networks"] = json!({"default": {"ipam": {"config": [{"subnet": "10.213.77.0/24"}]}}});
    });
    let (code, records, result) = project.rehearse(&["--accept-no-counterexample", "--kills", "0"]);
    assert_eq!(project.tables(), "\n");
    host.set_nonblocking(true).unwrap();
    assert!(host.accept().is_err(), "a server of the host was reached");
    assert_eq!(code, 0, "{result}");
    assert_eq!(result["isolated"], true);
    let isolation = records.iter().find(|r| r["kind"] == "isolation").unwrap();
    let left_out = isolation["left_out"].to_string();
    for way in ["cap_add", "extra_hosts", "ipc", "pid", "privileged", "/hostrun"] {
        assert!(left_out.contains(&format!("migrate: {way}")), "{way}: {left_out}");
    }
    assert_eq!(project.containers(), "");
}

#[test]
fn a_way_out_that_can_not_be_closed_is_named_and_nothing_is_run() {
    let project = Project::up("refused", |model, _| {
        model["services"]["migrate"]["command"] = node("process.exit(0)");
        model["services"]["migrate"]["secrets"] = json!(["door"]);
        model["secrets"] = json!({"door": {"file": "./run/.s.PGSQL.5432"}});
    });
    let (code, records, result) = project.rehearse(&[]);
    assert_eq!((code, &result["error"]["code"]), (6, &json!("not-isolated")), "{result}");
    assert!(result["error"]["message"].as_str().unwrap().contains("secrets.door"), "{result}");
    assert!(result["error"]["hint"].is_string());
    assert!(records.iter().all(|r| r["kind"] != "act"));
    assert_eq!(project.containers(), "");
}

#[test]
fn a_migrator_that_never_asks_the_database_has_kept_no_promise() {
    let project = Project::up("unseen", |model, _| {
        model["services"]["migrate"]["command"] = node("process.exit(0)");
    });
    let (code, records, result) = project.rehearse(&["--accept-no-counterexample", "--kills", "0"]);
    let verdict = &result["error"]["details"];
    assert_eq!(
        (code, &verdict["conclusion"], &verdict["idempotent"]),
        (3, &json!("unknown"), &Value::Null),
        "{result}"
    );
    let promise = records.iter().find(|r| r["kind"] == "promise").unwrap();
    assert!(promise["kept"].is_null() && promise["unknown"]["kept"].is_string(), "{promise}");
}
