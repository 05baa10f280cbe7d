//! A database of a test's own in the lab's server, and the tool pointed at it.
#![expect(clippy::unwrap_used, reason = "a helper of tests")]
#![allow(dead_code, reason = "each test program takes what it needs")]

pub(crate) mod gate;
pub(crate) mod server;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long something may take that comes at once.
const PATIENCE: Duration = Duration::from_mins(2);
/// The lab's role, a superuser.
const USER: &str = "terragnos";

pub(crate) struct Database {
    pub(crate) name: String,
    stack: PathBuf,
    dir: tempfile::TempDir,
    /// Dropped with the database.
    roles: Vec<String>,
    /// What the tool finds in its environment.
    environment: Vec<(String, String)>,
    /// Whether it goes with its server.
    own_server: bool,
}

/// How the tool ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: i32,
    pub(crate) data: Value,
    pub(crate) stdout: String,
}

/// The databases that every server has.
const BUILT_IN: [&str; 2] = ["postgres", "template1"];

/// A bare name with = in it would be taken for more than a name.
fn conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A session that sleeps in the database until this is dropped.
pub(crate) struct Holder {
    client: Child,
    end: Command,
}

/// A tool with its process group.
pub(crate) struct Group(Child);

impl Group {
    /// SIGKILL for all of it.
    pub(crate) fn kill(mut self) {
        let group = rustix::process::Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        // It may have ended by itself in this moment.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        self.0.wait().unwrap();
    }
}

/// The blocks of a text that are indented as code, after the step of this number.
pub(crate) fn code_of(text: &str, step: u32) -> String {
    let begin = text.split(&format!("\n{step}. ")).nth(1).unwrap();
    let block = begin.split(&format!("\n{}. ", step + 1)).next().unwrap();
    block.lines().filter_map(|line| line.strip_prefix("    ")).map(str::trim).collect::<Vec<_>>().join("\n")
}

impl Outcome {
    pub(crate) fn text(&self, key: &str) -> String {
        self.data[key].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn code(&self) -> String {
        self.data["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Database {
    /// A database with this content, in the lab that `TG_LAB_STACK` names or this repository's own.
    pub(crate) fn create(short: &str, content: &str) -> Self {
        let name = format!("bk_{short}_{}", std::process::id());
        Self::of(server::shared(), &name, "TEMPLATE template0", content)
    }

    /// The same in a server of the caller's, with which it goes.
    pub(crate) fn create_in(stack: &std::path::Path, short: &str, content: &str) -> Self {
        let name = format!("bk_{short}_{}", std::process::id());
        let mut database = Self::of(stack.to_owned(), &name, "TEMPLATE template0", content);
        database.own_server = true;
        database
    }

    /// One of any name in the server of a Compose project, made with these words unless it is there.
    pub(crate) fn of(stack: PathBuf, name: &str, create: &str, content: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database =
            Database { name: name.into(), stack, dir, roles: vec![], environment: vec![], own_server: false };
        let password = std::fs::read_to_string(database.stack.join("secrets/db_password")).unwrap();
        // Names may be written in a URL as they are but for these.
        let coded = name.replace('%', "%25").replace(' ', "%20").replace('?', "%3F").replace('#', "%23");
        let url = format!("postgres://{USER}:{}@db:5432/{coded}", password.trim());
        std::fs::write(database.path("url"), url).unwrap();
        database.await_server();
        if !BUILT_IN.contains(&name) {
            database.psql("template1", &format!("CREATE DATABASE {} {create}", database.quoted()));
        }
        database.sql(content);
        database
    }

    /// Its name for SQL.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.name.replace('"', "\"\""))
    }

    /// Sets a variable for every run of the tool from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Sets the lab's object store as this database's own.
    pub(crate) fn set_store(&mut self) {
        let of = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| panic!("{name}: eval \"$(scripts/lab/objects env)\""))
        };
        let (endpoint, bucket) = (of("TG_LAB_S3_ENDPOINT"), of("TG_LAB_S3_BUCKET"));
        self.set("TG_BACKUP_STORE", &format!("s3://{bucket}/{}?endpoint={endpoint}", self.name));
        self.set("AWS_ACCESS_KEY_ID_FILE", &of("TG_LAB_S3_KEY_FILE"));
        self.set("AWS_SECRET_ACCESS_KEY_FILE", &of("TG_LAB_S3_SECRET_FILE"));
    }

    /// A new identity of age, in a file; its recipient.
    pub(crate) fn identity(&self, name: &str) -> String {
        let made = Command::new("age-keygen").arg("-o").arg(self.path(name)).output().unwrap();
        assert!(made.status.success());
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned()
    }

    /// Copies a directory of this host into the server's container.
    pub(crate) fn copy_in(&self, from: &std::path::Path, to: &str) {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(&self.stack).arg("cp");
        command.arg(from).arg(format!("db:{to}"));
        assert!(command.stderr(Stdio::null()).status().unwrap().success());
    }

    fn literal(&self) -> String {
        format!("'{}'", self.name.replace('\'', "''"))
    }

    /// Writes a data file of a backup anew through a filter, and every hash anew: what is left is
    /// damage from before the hashes were made.
    pub(crate) fn rewrite(&self, path: &std::path::Path, filter: &str) {
        let tool = if path.extension().is_some_and(|e| e == "gz") { "gzip" } else { "zstd" };
        let script = format!("{tool} -dc | LC_ALL=C {filter} | {tool} -c");
        let bytes = self.inside(&["sh", "-c", &script], &std::fs::read(path).unwrap());
        std::fs::write(path, bytes).unwrap();
        let name = format!("data/{}", path.file_name().unwrap().to_string_lossy());
        self.reseal(path.parent().unwrap().parent().unwrap(), |document| {
            let files = document["files"].as_array_mut().unwrap();
            let entry = files.iter_mut().find(|f| f["path"] == name).unwrap();
            entry["sha256"] = sum(path).into();
            entry["bytes"] = path.metadata().unwrap().len().into();
        });
    }

    /// Changes the manifest of a backup, and its hash with it.
    pub(crate) fn reseal(&self, backup: &std::path::Path, change: impl FnOnce(&mut Value)) {
        let manifest = backup.join("manifest.json");
        let mut document: Value = serde_json::from_str(&std::fs::read_to_string(&manifest).unwrap()).unwrap();
        change(&mut document);
        document.as_object_mut().unwrap().shift_remove("self");
        std::fs::write(self.path("document"), document.to_string()).unwrap();
        document["self"] = sum(&self.path("document")).into();
        std::fs::write(manifest, document.to_string()).unwrap();
    }

    /// The server's major version.
    pub(crate) fn major(&self) -> u32 {
        self.psql("template1", "SHOW server_version_num").parse::<u32>().unwrap() / 10_000
    }

    /// Names the server by its address, so that the tool does not know it for a service of the project.
    pub(crate) fn outside(&self) {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(&self.stack).args(["ps", "-q", "db"]);
        let id = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let output = Command::new("docker").args(["inspect", "-f", form, id.trim()]).output().unwrap();
        let address = String::from_utf8(output.stdout).unwrap();
        let url = std::fs::read_to_string(self.path("url")).unwrap();
        std::fs::write(self.path("url"), url.replace("@db:", &format!("@{}:", address.trim()))).unwrap();
    }

    /// The image of the server.
    pub(crate) fn image(&self) -> String {
        format!("tg-lab/postgres:{}", self.major())
    }

    /// A role of the test's own, which is given to nobody else.
    pub(crate) fn role(&mut self, name: &str) -> String {
        let role = format!("{name} {}", self.name);
        self.psql("postgres", &format!("CREATE ROLE \"{role}\""));
        self.roles.push(role.clone());
        role
    }

    /// Runs a command in the server's container, with this as its input; what it wrote.
    pub(crate) fn inside(&self, words: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(&self.stack).args(["exec", "-T", "db"]);
        let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || std::io::Write::write_all(&mut stdin, input).unwrap());
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "{words:?}");
        output.stdout
    }

    /// Runs `docker compose` on the server's project.
    pub(crate) fn compose(&self, words: &[&str]) {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(&self.stack).args(words);
        assert!(command.stderr(Stdio::null()).status().unwrap().success(), "{words:?}");
    }

    /// Waits until the server lets us in.
    pub(crate) fn await_server(&self) {
        let ready = || self.psql_command("template1", "SELECT 1").output().unwrap().status.success();
        while !ready() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The backups that anybody can see, and everything else in their directory.
    pub(crate) fn in_store(&self) -> (Vec<String>, Vec<String>) {
        let entries = std::fs::read_dir(self.path("backups")).into_iter().flatten();
        let names = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        names.partition(|name| !name.starts_with('.'))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tg-backup"));
        command.arg("-q").arg("-C").arg(&self.stack).args(words).env_remove("TG_RUN_ID");
        command.env("TG_LOCK_DIR", self.dir.path());
        command.envs(self.environment.iter().cloned());
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        for (flag, name) in
            [("--state-dir", "state"), ("--backup-dir", "backups"), ("--database-url-file", "url")]
        {
            command.arg(flag).arg(self.path(name));
        }
        command
    }

    /// Runs the tool to its end. The result line must say the exit code that the process has.
    pub(crate) fn tg(&self, words: &[&str]) -> Outcome {
        Self::read(self.command(words).output().unwrap())
    }

    fn read(output: std::process::Output) -> Outcome {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let last: Value = serde_json::from_str(stdout.lines().last().unwrap_or("{}")).unwrap();
        let exit = output.status.code().unwrap();
        assert_eq!(last["data"]["exit"], exit, "{stdout}");
        Outcome { exit, data: last["data"].clone(), stdout }
    }

    /// Starts the tool.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        self.command(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts the tool in a process group of its own, which can be killed.
    pub(crate) fn start_group(&self, words: &[&str]) -> Group {
        let mut command = self.command(words);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Group(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Waits for a tool that was started.
    pub(crate) fn outcome(child: Child) -> Outcome {
        Self::read(child.wait_with_output().unwrap())
    }

    /// Starts the tool and kills it.
    pub(crate) fn killed_after(&self, time: Duration, words: &[&str]) {
        let mut child = self.command(words).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(time);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn psql_command(&self, database: &str, sql: &str) -> Command {
        let database = &conninfo(database);
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(&self.stack).args([
            "exec",
            "-T",
            "-e",
            // A test may set limits that end everybody else's statements.
            "PGOPTIONS=-c statement_timeout=0 -c lock_timeout=0 -c default_transaction_read_only=off",
            "db",
            "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            USER,
            "-d",
            database,
            "-c",
            sql,
        ]);
        command
    }

    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let output = self.psql_command(database, sql).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.psql(&self.name, sql)
    }

    /// Rows and a hash of the content of every table, and the database's own properties.
    pub(crate) fn fingerprint(&self) -> String {
        let tables = self.sql(
            "SELECT pg_catalog.string_agg(pg_catalog.format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)) FROM ONLY %I.%I AS t', \
             n.nspname || '.' || c.relname, n.nspname, c.relname), ' UNION ALL ') \
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
        );
        let content = self.sql(&format!("{tables} ORDER BY 1"));
        let objects = self.sql("SELECT oid, lo_get(oid) FROM pg_largeobject_metadata ORDER BY 1");
        let properties = self.sql(
            "SELECT pg_get_userbyid(d.datdba), d.datconnlimit, d.datallowconn, shobj_description(d.oid, 'pg_database'), \
             (SELECT string_agg(x::text, ',' ORDER BY x::text) FROM unnest(d.datacl) AS x), \
             (SELECT string_agg(s.setrole || s.setconfig::text, ';') FROM pg_db_role_setting AS s WHERE s.setdatabase = d.oid) \
             FROM pg_database AS d WHERE d.datname = current_database()",
        );
        format!("{content}\n{objects}\n{properties}\n{}", self.schema())
    }

    /// What pg_dump makes of the schema, without the random words that newer ones put around it.
    fn schema(&self) -> String {
        let dump = self.inside(&["pg_dump", "-U", USER, "--schema-only", "-d", &conninfo(&self.name)], b"");
        let text = String::from_utf8(dump).unwrap();
        text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
    }

    /// Another session that runs this.
    pub(crate) fn session(&self, sql: &str) -> Child {
        let mut command = self.psql_command(&self.name, sql);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits until a session of the database sleeps.
    pub(crate) fn await_sleep(&self) {
        let asleep = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '{}'",
            self.name
        );
        while self.psql("postgres", &asleep) == "0" {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A session in the database, there when this returns.
    pub(crate) fn hold(&self, time: Duration) -> Holder {
        let child = self.session(&format!("SELECT pg_sleep({})", time.as_secs()));
        self.await_sleep();
        let terminate =
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name);
        Holder { client: child, end: self.psql_command("postgres", &terminate) }
    }

    pub(crate) fn history(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("state/history.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Databases that the tool keeps beside ours.
    pub(crate) fn siblings(&self) -> usize {
        self.names().len()
    }

    fn names(&self) -> Vec<String> {
        let sql =
            format!("SELECT datname FROM pg_database WHERE datname LIKE 'tg\\_%\\_' || {}", self.literal());
        self.psql("template1", &sql).lines().map(str::to_owned).collect()
    }

    /// The names of containers and volumes of ours that are still there.
    pub(crate) fn left_in_docker(&self) -> Vec<String> {
        let label = self.label();
        [containers(&[&label]), volumes(&label)].concat()
    }

    fn label(&self) -> String {
        format!("label=tg.state={}", self.path("state").display())
    }

    /// Waits until a file of this pattern is in the container of a part of the tool.
    pub(crate) fn await_in_container_of(&self, part: &str, pattern: &str) {
        let (tool, label) = (format!("label=tg.tool={part}"), self.label());
        let begun = Instant::now();
        let has = |name: &String| {
            let mut command = Command::new("docker");
            command.args(["exec", name, "sh", "-c", &format!("ls {pattern}")]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
        };
        while !containers(&[&tool, &label]).iter().any(has) {
            assert!(begun.elapsed() < PATIENCE, "{part} has no {pattern}");
        }
    }

    /// Waits until the engine has taken away whatever was ours.
    pub(crate) fn await_nothing_in_docker(&self) {
        let begun = Instant::now();
        while !self.left_in_docker().is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.left_in_docker());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The same after a kill at any moment: a container that was made and not started yet has nothing in it, and waits for
    /// the next run to remove it.
    pub(crate) fn await_nothing_started_in_docker(&self) {
        let begun = Instant::now();
        while !self.left_in_docker().is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.left_in_docker());
            for name in containers(&["status=created", &self.label()]) {
                // One that is being started stays.
                Command::new("docker").args(["rm", "-v", &name]).output().unwrap();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a part of the tool has a container.
    pub(crate) fn await_container_of(&self, part: &str) {
        let (tool, label) = (format!("label=tg.tool={part}"), self.label());
        let begun = Instant::now();
        while containers(&[&tool, &label]).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{part} has no container");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn sum(path: &std::path::Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn containers(filters: &[&str]) -> Vec<String> {
    let filters = filters.iter().flat_map(|filter| ["--filter", filter]);
    docker(&["ps", "-a", "--format", "{{.Names}}"].into_iter().chain(filters).collect::<Vec<_>>())
}

pub(crate) fn volumes(filter: &str) -> Vec<String> {
    docker(&["volume", "ls", "-q", "--filter", filter])
}

fn docker(words: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end.output().unwrap();
        self.client.wait().unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.own_server {
            return;
        }
        let own = Some(self.name.clone()).filter(|name| !BUILT_IN.contains(&name.as_str()));
        for name in self.names().into_iter().chain(own) {
            let quoted = name.replace('"', "\"\"");
            // A server that is gone has none, and its own databases stay.
            let sql = format!("DROP DATABASE IF EXISTS \"{quoted}\" WITH (FORCE)");
            let _ = self.psql_command("template1", &sql).output();
        }
        for role in &self.roles {
            self.psql("template1", &format!("DROP ROLE IF EXISTS \"{role}\""));
        }
    }
}
