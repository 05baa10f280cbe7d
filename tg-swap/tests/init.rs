//! tg-swap init with a docker that only knows how to show a project: what is written, what is not,
//! and what is undone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use assert_cmd::Command;
use serde_json::{Value, json};

/// Shows before.json, or after.json once the new file is there.
const DOCKER: &str = "#!/bin/sh
here=$(dirname \"$0\")
case \"$*\" in
*version*) cat \"$here/version\" ;;
*) if [ -e compose.tg.yaml ]; then cat \"$here/after.json\"; else cat \"$here/before.json\"; fi ;;
esac
";

/// Where the next project's HAProxy is to be told what to do. The tool binds it to see whether it is free, so two can't share one.
static NEXT_PORT: AtomicU16 = AtomicU16::new(15901);

struct Project {
    dir: tempfile::TempDir,
    admin_port: u16,
}

struct Ran {
    exit: i32,
    lines: Vec<Value>,
    stderr: String,
}

impl Ran {
    fn result(&self) -> &Value {
        &self.lines.last().unwrap()["data"]
    }
}

fn port() -> Value {
    json!({"mode": "ingress", "host_ip": "127.0.0.1", "target": 3000, "published": "3000", "protocol": "tcp"})
}

impl Project {
    fn new() -> Self {
        let admin_port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        let project = Project { dir: tempfile::tempdir().unwrap(), admin_port };
        fs::create_dir_all(project.path("p")).unwrap();
        project.put("p/compose.yaml", "services: {}\n");
        project.put("p/.env", "SECRET=s3cret\r\nTAG=1.4.0");
        project.put("docker", DOCKER);
        fs::set_permissions(project.path("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        project.put("version", "2.26.1-4\n");
        project.before(&json!({"services": {"api": {"ports": [port()]}}, "x-tg": {"worker": "jobs"}}));
        let balancer = json!({"haproxy": format!("127.0.0.1:{admin_port}"), "backend": "api"});
        project.after(&json!({
            "services": {"api": {}, "lb": {"ports": [port()]}}, "x-tg": {"worker": "jobs", "balancer": balancer},
        }));
        project
    }

    fn before(&self, model: &Value) {
        let mut model = model.clone();
        model["name"] = json!("h");
        model["services"]["jobs"] = json!({});
        self.put("before.json", &model.to_string());
    }

    fn after(&self, model: &Value) {
        let mut model = model.clone();
        model["name"] = json!("h");
        model["services"]["jobs"] = json!({});
        self.put("after.json", &model.to_string());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Every file of the project but the tool's own.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path("p"), &mut files);
        files
    }

    fn init(&self, words: &[&str]) -> Ran {
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::cargo_bin("tg-swap").unwrap();
        command.env("TG_LOCK_DIR", self.path("."));
        command
            .args(["init", "--admin-port", &self.admin_port.to_string()])
            .args(words)
            .current_dir(self.path("p"));
        command.env("PATH", path).env_remove("COMPOSE_FILE").env_remove("TG_RUN_ID").env("TG_FORMAT", "json");
        let output = command.output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        Ran {
            exit: output.status.code().unwrap(),
            lines: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn refuses(&self, exit: i32, code: &str) {
        let before = self.files();
        let ran = self.init(&["--apply"]);
        assert_eq!((ran.exit, &ran.result()["error"]["code"]), (exit, &json!(code)), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
        assert_eq!(self.files(), before);
    }
}

fn collect(dir: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_name() == ".tg" {
        } else if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

#[test]
fn it_is_shown_without_secrets_and_nothing_is_written() {
    let project = Project::new();
    let before = project.files();
    let ran = project.init(&[]);
    assert_eq!((ran.exit, &ran.result()["changed"]), (0, &json!(false)), "{}", ran.stderr);
    let diffs: Vec<&str> = ran.lines.iter().filter_map(|line| line["data"]["diff"].as_str()).collect();
    assert!(diffs[2].contains("+COMPOSE_FILE=compose.yaml:compose.tg.yaml"), "{diffs:?}");
    assert!(!diffs.concat().contains("s3cret") && !diffs.concat().contains("TAG"), "{diffs:?}");
    assert_eq!(project.files(), before);
    assert!(!project.path("p/.tg").exists());
}

#[test]
fn applied_and_taken_back_leaves_every_byte() {
    let project = Project::new();
    let before = project.files();
    let ran = project.init(&["--apply"]);
    assert_eq!((ran.exit, &ran.result()["changed"]), (0, &json!(true)), "{}", ran.stderr);
    let names: Vec<_> = project.files().into_keys().map(|p| p.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, [".env", "compose.tg.yaml", "compose.yaml", "haproxy.cfg"]);
    assert_eq!(project.init(&["--apply"]).result()["changed"], false);
    // Written by tg-swap when it moves the application: not the user's.
    project.put("p/haproxy/servers.state", "1\n");
    let ran = project.init(&["--undo"]);
    assert_eq!((ran.exit, &ran.result()["changed"]), (0, &json!(true)), "{}", ran.stderr);
    assert_eq!(project.files(), before);
    assert!(!project.path("p/haproxy").exists());
    assert_eq!(project.init(&["--undo"]).result()["changed"], false);
}

#[test]
fn what_compose_sees_otherwise_than_meant_is_undone() {
    let project = Project::new();
    project.after(&json!({"services": {"api": {"ports": [port()]}, "lb": {"ports": [port()]}}}));
    let before = project.files();
    let ran = project.init(&["--apply"]);
    assert_eq!((ran.exit, &ran.result()["error"]["code"]), (4, &json!("not-as-meant")), "{}", ran.stderr);
    let steps: Vec<_> = ran
        .lines
        .iter()
        .filter_map(|l| Some((l["data"]["step"].as_str()?, l["data"]["state"].as_str()?)))
        .collect();
    let expected =
        [("init", "started"), ("init", "failed"), ("init-back", "started"), ("init-back", "succeeded")];
    assert_eq!(steps, expected);
    assert_eq!(project.files(), before);
    assert_eq!(project.init(&["--undo"]).result()["changed"], false, "nothing is left to take back");
}

#[test]
fn a_run_that_was_killed_can_be_gone_on_with_and_taken_back() {
    for way in ["--apply", "--undo"] {
        let project = Project::new();
        let before = project.files();
        let ran = project.init(&["--apply"]);
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
        let after = project.files();
        // As if killed before the last two files were written.
        fs::remove_file(project.path("p/compose.tg.yaml")).unwrap();
        project.put("p/.env", "SECRET=s3cret\r\nTAG=1.4.0");
        assert_eq!(project.init(&[way]).result()["changed"], true, "{way}");
        assert_eq!(project.files(), if way == "--undo" { before.clone() } else { after });
        project.init(&["--undo"]);
        assert_eq!(project.files(), before);
    }
}

#[test]
fn what_somebody_changed_since_is_shown_and_kept() {
    let project = Project::new();
    project.init(&["--apply"]);
    project.put("p/haproxy/haproxy.cfg", "mine\n");
    let changed = project.files();
    let ran = project.init(&["--undo"]);
    assert_eq!((ran.exit, &ran.result()["error"]["code"]), (6, &json!("changed-since")), "{}", ran.stderr);
    assert!(ran.lines.iter().any(|l| l["data"]["diff"].as_str().is_some_and(|d| d.contains("+mine"))));
    assert_eq!(project.files(), changed);
}

#[test]
fn what_cannot_be_served_is_refused_and_nothing_is_written() {
    let with = |key: &str, value: Value| {
        let project = Project::new();
        let mut api = json!({"ports": [port()]});
        api[key] = value;
        project.before(&json!({"services": {"api": api}, "x-tg": {"worker": "jobs"}}));
        project
    };
    with("container_name", json!("one")).refuses(6, "cannot-scale");
    with("ports", Value::Null).refuses(10, "bad-setting");
    with("ports", json!([port(), {"protocol": "udp", "target": 53}])).refuses(6, "not-tcp");
    with("ports", json!([{"protocol": "tcp", "target": 8080, "published": "80"}])).refuses(10, "health-port");
    let project = Project::new();
    project.before(&json!({"services": {"api": {"ports": [port()]}, "lb": {}}, "x-tg": {"worker": "jobs"}}));
    project.refuses(6, "service-exists");
    let project = Project::new();
    project.put("p/compose.tg.yaml", "services: {}\n");
    project.after(&json!({"services": {"api": {"ports": [port()]}}, "x-tg": {"worker": "jobs"}}));
    project.refuses(6, "file-exists");
    let project = Project::new();
    project.put("version", "2.23.0\n");
    project.refuses(10, "old-compose");
}
