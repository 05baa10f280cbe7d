//! A dump, restored into a throwaway server: roles, database, data.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::backup::crypt::SUFFIX;
use crate::backup::digest::FileEntry;
use crate::backup::{DATA, Database, Error, GLOBALS, Manifest};
use crate::bytes::unsigned;
use crate::process;
use crate::sql::{conninfo, ident};
use crate::throwaway::restore_log;
use crate::throwaway::server::{ROOT, Throwaway};

const TICK: Duration = Duration::from_secs(1);
const SIZE: &str = "SELECT pg_catalog.pg_database_size($1::text::name)";

impl Throwaway<'_> {
    /// Restores a dump, whose files are in the directory of backups or were brought in, as a database of its own name.
    pub fn restore(&self, files: &Path, manifest: &Manifest) -> Result<(), Error> {
        let place = self.place(files);
        roles(self, manifest, &place)?;
        let database = Database { tablespace: "pg_default".into(), ..manifest.database.clone() };
        self.connect("template1")?.batch_execute(&database.create(&database.name))?;
        restore(self, manifest, &place)
    }

    /// Gives a restored database the owner, settings and grants that it had.
    pub fn dress(&self, database: &Database) -> Result<(), Error> {
        let mut client = self.connect("template1")?;
        for statement in database.dress(&database.name) {
            client.batch_execute(&statement).map_err(|error| Error::NotRestorable {
                object: Some(statement.clone()),
                problem: error.to_string(),
            })?;
        }
        Ok(())
    }
}

/// Workers of a restore. Nobody else works in a database that is being restored: all processors, but two at
/// least, since an index is built while the next table comes in.
#[must_use]
pub fn jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}

/// The very file that a person would run, where there is one; else the roles by name, who can own
/// and be granted but not log in.
fn roles(server: &Throwaway, manifest: &Manifest, place: &str) -> Result<(), Error> {
    let bootstrap = &manifest.database.bootstrap_role;
    let is_globals = |file: &FileEntry| file.path.as_str().trim_end_matches(SUFFIX) == GLOBALS;
    if !manifest.files.iter().any(is_globals) {
        let mut client = server.connect("template1")?;
        for role in manifest.roles.iter().filter(|role| *role != bootstrap) {
            client.batch_execute(&format!("CREATE ROLE {} NOLOGIN", ident(role)))?;
        }
        return Ok(());
    }
    let [host, user] = server.connection();
    let file = format!("--file={place}/{GLOBALS}");
    let (code, text) = server.exec(ROOT, &["psql", "-X", "-q", &host, &user, "--dbname=template1", &file])?;
    let wrong = text.lines().find(|line| line.contains("ERROR:") && !expected(line, bootstrap));
    match (code, wrong) {
        (0, None) => Ok(()),
        (0, Some(line)) => {
            Err(Error::NotRestorable { object: Some(GLOBALS.into()), problem: line.trim().to_owned() })
        }
        (code, _) => Err(Error::Throwaway { step: "psql".into(), code, problem: process::tail(&text) }),
    }
}

/// The role that initdb made is there already, and a tablespace's directory is on another host.
fn expected(line: &str, bootstrap: &str) -> bool {
    line.ends_with(&format!("role \"{bootstrap}\" already exists"))
        || line.contains("tablespace")
        || line.contains("directory \"")
}

fn restore(server: &Throwaway, manifest: &Manifest, place: &str) -> Result<(), Error> {
    let name = &manifest.database.name;
    let [host, user] = server.connection();
    let (jobs, dbname, data) =
        (format!("--jobs={}", jobs()), format!("--dbname={}", conninfo(name)), format!("{place}/{DATA}"));
    let command = [
        "pg_restore",
        "--format=directory",
        &jobs,
        "--exit-on-error",
        "--no-tablespaces",
        &host,
        &user,
        &dbname,
        &data,
    ];
    let done = AtomicBool::new(false);
    let (code, text) = std::thread::scope(|scope| {
        scope.spawn(|| watch(server, manifest, &done));
        // The files are readable to us alone, and that is root inside.
        let ended = server.exec(ROOT, &command);
        done.store(true, Ordering::Relaxed);
        ended
    })?;
    if code == 0 { Ok(()) } else { Err(restore_log::judge(code, &text)) }
}

/// Tells how far the data has come. What it can't see it does not tell.
fn watch(server: &Throwaway, manifest: &Manifest, done: &AtomicBool) {
    let Ok(mut client) = server.connect("template1") else { return };
    let (mut slept, nap) = (Duration::ZERO, TICK / 10);
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(nap);
        slept += nap;
        if slept < TICK {
            continue;
        }
        slept = Duration::ZERO;
        let size = client.query_one(SIZE, &[&manifest.database.name]).map(|row| row.get::<_, i64>(0));
        let total = unsigned(manifest.database.size_bytes);
        if let Ok(size) = size {
            let _ = server.session().emit.progress("restoring", unsigned(size).min(total), total, "bytes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_not_be_otherwise_is_expected_of_the_roles() {
        let at = "psql:/backups/x/globals.sql:14: ERROR:  ";
        assert!(expected(&format!("{at}role \"postgres\" already exists"), "postgres"));
        assert!(!expected(&format!("{at}role \"app\" already exists"), "postgres"));
        assert!(expected(&format!("{at}directory \"/mnt/fast\" does not exist"), "postgres"));
        assert!(!expected(&format!("{at}unrecognized configuration parameter \"x.y\""), "postgres"));
    }
}
