//! A standby of the test's server, which holds back what the server may clean up.

use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use super::{Database, USER, config, connect, container, docker, inspect};

/// A standby of the whole server, which sends feedback; it goes when it is dropped.
pub(crate) struct Standby {
    pub(crate) name: String,
    password: String,
    address: String,
}

impl Standby {
    pub(crate) fn client(&self, database: &str) -> Client {
        connect(&self.address, &self.password, database)
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        docker(&["rm", "-fv", &self.name]);
    }
}

impl Database {
    /// Makes one, and waits until it answers.
    pub(crate) fn standby(&self, slot: Option<&str>) -> Standby {
        let id = container(&self.stack);
        let (network, image) = (
            docker(&[
                "inspect",
                "-f",
                "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}",
                &id,
            ]),
            docker(&["inspect", "-f", "{{.Config.Image}}", &id]),
        );
        let name = format!("tg-lab-standby-{}", std::process::id());
        let slot = slot.map(|slot| format!("-S {slot}")).unwrap_or_default();
        let script = format!(
            "set -e; umask 077; printf '*:*:*:*:%s' '{}' >/tmp/pgpass; chown postgres /tmp/pgpass; rm -rf /tmp/copy; \
             install -d -o postgres -m 700 /tmp/copy; \
             exec setpriv --reuid=postgres --regid=postgres --init-groups sh -c 'export PGPASSFILE=/tmp/pgpass; \
             pg_basebackup -D /tmp/copy -d \"host={} user={USER} application_name={name}\" -R -X stream -c fast {slot} && \
             exec postgres -D /tmp/copy -c max_prepared_transactions=10 -c hot_standby_feedback=on -c wal_receiver_status_interval=1s'",
            self.password, self.address
        );
        docker(&[
            "run",
            "-d",
            "--name",
            &name,
            "--label",
            "tg.lab=1",
            "--network",
            &network,
            "--entrypoint",
            "sh",
            &image,
            "-c",
            &script,
        ]);
        let standby = Standby { address: inspect(&name), name, password: self.password.clone() };
        let config = config(&standby.address, &self.password, &self.name);
        let begun = Instant::now();
        while config.connect(NoTls).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "{}", docker(&["logs", &standby.name]));
            std::thread::sleep(Duration::from_millis(100));
        }
        standby
    }
}
