//! A migrator behind a connection pooler that takes no options of sessions: run with the lab's images built,
//! `cargo test -p tg-migrate --features lab --test pooler`. It has a Compose project of its own.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

use serde_json::Value;

/// What pgbouncer 1.24 says to libpq, and what its migrator does once it is let in.
const MIGRATOR: &str = r#"run() { PGOPTIONS= psql -q -h db -U terragnos -d terragnos -v ON_ERROR_STOP=1 -c "$$1"; }
if [ -n "$$PGOPTIONS" ]; then
  run "$$FIRST" || exit 1
  echo "migration failed"; echo "FATAL:  unsupported startup parameter in options: lock_timeout" >&2; exit 2
fi
run "$$SQL""#;

struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// `first`: what it does before it is refused.
    fn up(short: &str, options: &str, first: &str) -> Self {
        let project = Project { dir: tempfile::tempdir().unwrap() };
        let service = |more: &Value| {
            let mut all = serde_json::json!({"image": "tg-lab/postgres:17", "pull_policy": "never", "environment": {
                "POSTGRES_USER": "terragnos", "POSTGRES_DB": "terragnos", "POSTGRES_PASSWORD": "secret", "PGPASSWORD": "secret",
                "FIRST": first, "SQL": "CREATE TABLE made (id int)"}});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let ready = "pg_isready -q -h 127.0.0.1 -U terragnos -d terragnos";
        let model = serde_json::json!({
            "name": format!("tg-pooler-{short}-{}", std::process::id()),
            "x-tg": {"migrate_options": options},
            "services": {
                "db": service(&serde_json::json!({"healthcheck": {"test": ["CMD-SHELL", ready], "interval": "1s", "retries": 60}})),
                "api": service(&serde_json::json!({})),
                "db-setup": service(&serde_json::json!({"entrypoint": [], "command": ["sh", "-c", MIGRATOR], "profiles": ["setup"]})),
            },
        });
        std::fs::write(project.dir.path().join("compose.yaml"), model.to_string()).unwrap();
        assert!(project.compose(&["up", "-d", "--wait", "db"]), "the database did not come up");
        project
    }

    fn compose(&self, words: &[&str]) -> bool {
        let mut command = Command::new("docker");
        command.arg("compose").args(words).current_dir(self.dir.path());
        command.output().unwrap().status.success()
    }

    /// Exit code, the codes of warnings, and the result of a migration.
    fn migrate(&self) -> (i32, Vec<String>, Value) {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tg-migrate"));
        command.args(["-q", "--accept", "no-backup", "-C"]).arg(self.dir.path()).env_remove("TG_RUN_ID");
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let warnings = lines.iter().filter(|line| line["type"] == "warning");
        let codes = warnings.map(|line| line["data"]["code"].as_str().unwrap().to_owned()).collect();
        (output.status.code().unwrap(), codes, lines.last().unwrap()["data"].clone())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose(&["--profile", "*", "down", "-v", "-t", "0"]);
    }
}

#[test]
fn a_migrator_whose_pooler_takes_no_options_is_run_again_without_them() {
    let project = Project::up("refused", "true", "");
    let (exit, warnings, result) = project.migrate();
    assert_eq!((exit, &result["ending"], &result["attempts"]), (0, &"applied".into(), &2.into()), "{result}");
    assert!(warnings.iter().any(|code| code == "without-options"), "{warnings:?}");
    // It fails on its own account then, and is not run a third time.
    let (exit, _, result) = project.migrate();
    assert_eq!((exit, &result["error"]["code"]), (3, &"failed-clean".into()), "{result}");
    assert!(result["error"]["message"].as_str().unwrap().contains("already exists"), "{result}");
}

#[test]
fn a_migrator_that_did_something_before_it_was_refused_is_not_run_again() {
    let project = Project::up("wrote", "true", "CREATE TABLE half (id int)");
    let (exit, warnings, result) = project.migrate();
    assert_eq!((exit, &result["error"]["code"]), (5, &"failed-dirty".into()), "{result}");
    assert!(!warnings.iter().any(|code| code == "without-options"), "{warnings:?}");
}

#[test]
fn options_that_are_switched_off_are_not_tried() {
    let project = Project::up("off", "false", "");
    let (exit, warnings, result) = project.migrate();
    assert_eq!((exit, &result["ending"], &result["attempts"]), (0, &"applied".into(), &1.into()), "{result}");
    assert!(!warnings.iter().any(|code| code == "without-options"), "{warnings:?}");
}
