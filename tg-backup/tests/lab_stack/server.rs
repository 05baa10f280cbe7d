//! A server of a test's own, for what must not be changed in one that others use.

use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) struct Server {
    dir: tempfile::TempDir,
}

impl Server {
    /// Starts one with these options beside its image's own, and waits until it serves.
    pub(crate) fn start(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let major = std::env::var("TG_LAB_MAJOR").unwrap_or_else(|_| "17".into());
        let name = dir.path().file_name().unwrap().to_string_lossy().trim_start_matches('.').to_lowercase();
        std::fs::create_dir(dir.path().join("secrets")).unwrap();
        std::fs::write(dir.path().join("secrets/db_password"), "only-for-this-test").unwrap();
        let compose = format!(
            "name: tg-test-{name}\nservices:\n  db:\n    image: tg-lab/postgres:{major}\n    pull_policy: never\n    \
             command: postgres {options}\n    environment:\n      POSTGRES_USER: terragnos\n      POSTGRES_DB: terragnos\n      \
             POSTGRES_PASSWORD_FILE: /run/secrets/db_password\n    secrets: [db_password]\n    healthcheck:\n      \
             test: [CMD-SHELL, pg_isready -q -h 127.0.0.1 -U terragnos]\n      interval: 1s\n      retries: 60\n\
             secrets:\n  db_password: {{ file: ./secrets/db_password }}\n"
        );
        std::fs::write(dir.path().join("compose.yaml"), compose).unwrap();
        let server = Server { dir };
        server.compose(&["up", "-d", "--wait"]);
        server
    }

    /// Its project's directory.
    pub(crate) fn stack(&self) -> &Path {
        self.dir.path()
    }

    fn compose(&self, words: &[&str]) {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(self.stack()).args(words);
        assert!(command.stderr(Stdio::null()).status().unwrap().success(), "{words:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.compose(&["down", "-v", "-t", "1"]);
    }
}
