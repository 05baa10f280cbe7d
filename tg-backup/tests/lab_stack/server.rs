//! A server of a test's own, for what must not be changed in one that others use: a Compose project that goes with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Database, USER, docker};

/// Of the role in it.
const PASSWORD: &str = "only-for-this-test";
static COUNT: AtomicU32 = AtomicU32::new(0);
/// What starts it, whatever the image has in PATH.
const START: &str = r#"PATH=/usr/lib/postgresql/$MAJOR/bin:$PATH; mkdir -p $PGDATA
chown -R postgres $PGDATA /var/run/postgresql; chmod 700 $PGDATA
exec setpriv --reuid=postgres --regid=postgres --init-groups -- bash -ec '
if [ ! -s $PGDATA/PG_VERSION ]; then
  initdb -D $PGDATA -U terragnos --auth=scram-sha-256 --pwfile=<(echo only-for-this-test) --encoding=UTF8 $INITDB_OPTIONS >/dev/null
  printf "%s\n" "local all all trust" "host all,replication all all scram-sha-256" >$PGDATA/pg_hba.conf
fi
exec postgres -c "listen_addresses=*" "$@"' bash "$@""#;

pub(crate) struct Server {
    dir: tempfile::TempDir,
}

impl Server {
    /// Starts one with these options beside its image's own, and waits until it serves.
    pub(crate) fn start(options: &str) -> Self {
        let major = std::env::var("TG_LAB_MAJOR").unwrap_or_else(|_| "17".into());
        let command = format!("postgres {options}");
        let service = serde_json::json!({
            "image": format!("tg-lab/postgres:{major}"), "pull_policy": "never",
            "command": command.split_whitespace().collect::<Vec<_>>(),
            "environment": {
                "POSTGRES_USER": USER, "POSTGRES_DB": USER, "POSTGRES_PASSWORD_FILE": "/run/secrets/db_password",
            },
            "secrets": ["db_password"],
            "healthcheck": {
                "test": ["CMD-SHELL", format!("pg_isready -q -h 127.0.0.1 -U {USER}")], "interval": "1s", "retries": 60,
            },
        });
        Self::up(&service, &["--wait"])
    }

    /// Of this image and major version, with options for initdb and the server.
    pub(crate) fn of(image: &str, major: u32, initdb: &str, options: &[&str]) -> Self {
        let command = [&["bash", "-ec", START, "bash"][..], options].concat();
        let service = serde_json::json!({
            "image": image, "pull_policy": "never", "shm_size": "256m", "labels": {"tg.lab": "1"},
            // Compose would read the shell's variables as its own.
            "command": command.iter().map(|word| word.replace('$', "$$")).collect::<Vec<_>>(),
            "environment": {
                "MAJOR": major.to_string(), "INITDB_OPTIONS": initdb, "PGDATA": "/var/lib/postgresql/data",
                "POSTGRES_USER": USER, "POSTGRES_PASSWORD": PASSWORD,
            },
        });
        Self::up(&service, &[])
    }

    fn up(service: &serde_json::Value, words: &[&str]) -> Self {
        let server = Server { dir: tempfile::tempdir().unwrap() };
        let name = format!("tg-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let project = serde_json::json!({
            "name": name, "services": {"db": service}, "secrets": {"db_password": {"file": "./secrets/db_password"}},
        });
        std::fs::write(server.stack().join("compose.yaml"), project.to_string()).unwrap();
        std::fs::create_dir(server.stack().join("secrets")).unwrap();
        std::fs::write(server.stack().join("secrets/db_password"), PASSWORD).unwrap();
        assert!(server.compose(&[&["up", "-d"], words].concat()));
        server
    }

    /// Its project's directory.
    pub(crate) fn stack(&self) -> &Path {
        self.dir.path()
    }

    /// A database there.
    pub(crate) fn database(&self, name: &str, create: &str, content: &str) -> Database {
        Database::of(self.stack().to_owned(), name, create, content)
    }

    fn compose(&self, words: &[&str]) -> bool {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-directory"]).arg(self.stack()).args(words);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.compose(&["down", "-v", "-t", "1"]);
    }
}

/// An image like another one, changed as `docker commit` can; it goes with this.
pub(crate) struct Image {
    pub(crate) name: String,
}

impl Image {
    /// With the files of a directory of this host in one of its own.
    pub(crate) fn with(image: &str, files: &Path, directory: &str) -> Self {
        let name = format!("tg-any/{}:{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let container = docker(&["create", image]).remove(0);
        docker(&["cp", &format!("{}/.", files.display()), &format!("{container}:{directory}")]);
        docker(&["commit", &container, &name]);
        docker(&["rm", "-v", &container]);
        Image { name }
    }

    pub(crate) fn like(image: &str, change: &str) -> Self {
        let name = format!("tg-any/{}:{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let container = docker(&["create", image]).remove(0);
        docker(&["commit", "--change", change, &container, &name]);
        docker(&["rm", "-v", &container]);
        Image { name }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["rmi", &self.name]);
    }
}

/// The project of the lab's server, where no other is meant.
pub(crate) fn shared() -> PathBuf {
    let own = || concat!(env!("CARGO_MANIFEST_DIR"), "/../.lab/stack").into();
    std::env::var_os("TG_LAB_STACK").unwrap_or_else(own).into()
}
