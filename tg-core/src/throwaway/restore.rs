//! A dump, restored into a throwaway server: roles, database, data.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::backup::crypt::SUFFIX;
use crate::backup::digest::FileEntry;
use crate::backup::{CONTENTS, DATA, Database, Error, GLOBALS, Manifest};
use crate::bytes::unsigned;
use crate::process;
use crate::sql::{conninfo, ident};
use crate::throwaway::restore_log;
use crate::throwaway::server::{ROOT, Throwaway, maintenance};

const TICK: Duration = Duration::from_secs(1);
const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)";
const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::int";
const SIZE: &str = "SELECT pg_catalog.pg_database_size($1::text::name)";

impl Throwaway<'_> {
    /// Restores a dump, whose files are in the directory of backups or were brought in, as a database of its own name.
    pub fn restore(&self, files: &Path, manifest: &Manifest) -> Result<(), Error> {
        let place = self.place(files);
        roles(self, manifest, &place)?;
        let database = Database { tablespace: "pg_default".into(), ..manifest.database.clone() };
        self.empty(&database)?;
        restore(self, manifest, &place)
    }

    /// An empty database of the name that it had, with its settings: pg_restore's order, since they can decide what a value
    /// means. A database that every server has makes way.
    fn empty(&self, database: &Database) -> Result<(), Error> {
        let mut client = self.beside(&database.name)?;
        let name = &database.name;
        if client.query_one(IS_THERE, &[name])?.get(0) {
            client.batch_execute(&format!("ALTER DATABASE {} IS_TEMPLATE false", ident(name)))?;
            client.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", ident(name)))?;
        }
        let version: i32 = client.query_one(VERSION, &[])?.get(0);
        client.batch_execute(&database.create(name, version))?;
        drop(client);
        self.apply(&database.name, &database.settings_for(name))
    }

    /// Gives a restored database the owner, settings and grants that it had.
    pub fn dress(&self, database: &Database) -> Result<(), Error> {
        self.apply(&database.name, &database.dress(&database.name))
    }

    fn apply(&self, name: &str, statements: &[String]) -> Result<(), Error> {
        let mut client = self.beside(name)?;
        for statement in statements {
            client.batch_execute(statement).map_err(|error| Error::NotRestorable {
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
        let mut client = server.beside(&manifest.database.name)?;
        for role in manifest.roles.iter().filter(|role| *role != bootstrap) {
            client.batch_execute(&format!("CREATE ROLE {} NOLOGIN", ident(role)))?;
        }
        return Ok(());
    }
    let file = format!("--file={place}/{GLOBALS}");
    let database = format!("--dbname={}", maintenance(&manifest.database.name));
    let (code, text) = server.client(ROOT, "psql", &["-X", "-q", &database, &file])?;
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
    let (jobs, dbname, data) =
        (format!("--jobs={}", jobs()), format!("--dbname={}", conninfo(name)), format!("{place}/{DATA}"));
    // Only when it is verbose does it name the entry that failed.
    let arguments =
        ["--verbose", "--format=directory", &jobs, "--exit-on-error", "--no-tablespaces", &dbname, &data];
    let done = AtomicBool::new(false);
    let (code, text) = std::thread::scope(|scope| {
        scope.spawn(|| watch(server, manifest, &done));
        // The files are readable to us alone, and that is root inside.
        let ended = server.client(ROOT, "pg_restore", &arguments);
        done.store(true, Ordering::Relaxed);
        ended
    })?;
    if code == 0 {
        return Ok(());
    }
    // Read where it was restored from: what was decrypted is in there alone.
    let contents = server.exec(ROOT, &["cat", &format!("{place}/{CONTENTS}")]);
    let contents = contents.ok().filter(|(code, _)| *code == 0).map(|(_, text)| text);
    Err(restore_log::judge(code, &text, contents.as_deref(), &manifest.roles))
}

/// What pg_restore could not bring back, if it says so, and why; from what it wrote with `--verbose` while it restored what
/// has this table of contents.
#[must_use]
pub fn refusal(text: &str, contents: Option<&str>, roles: &[String]) -> (Option<String>, Option<String>) {
    (restore_log::object(text, contents, roles), restore_log::problem(text))
}

/// Tells how far the data has come. What it can't see it does not tell.
fn watch(server: &Throwaway, manifest: &Manifest, done: &AtomicBool) {
    let Ok(mut client) = server.beside(&manifest.database.name) else { return };
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
