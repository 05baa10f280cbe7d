//! The proof itself: roles, database, data, and then every table against the manifest.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::database::ident;

use crate::answer::unsigned;
use crate::clock::milliseconds;
use crate::compare::difference;
use crate::context::Context;
use crate::database::Database;
use crate::dump::conninfo;
use crate::error::Error;
use crate::fresh;
use crate::globals::GLOBALS;
use crate::manifest::Manifest;
use crate::taken::DATA;
use crate::tally::Depth;
use crate::verify::restore_log;
use crate::verify::throwaway::{BACKUPS, ROOT, Throwaway};

const TICK: Duration = Duration::from_secs(1);
const SIZE: &str = "SELECT pg_catalog.pg_database_size($1::text::name)";

/// What was compared, and how long it took.
pub(crate) struct Proof {
    /// Nothing where the state of the backup is not one that was read.
    pub depth: Option<Depth>,
    pub restore_ms: u64,
    pub read_ms: u64,
}

pub(crate) fn run(
    ctx: &Context,
    server: &Throwaway,
    files: &Path,
    manifest: &Manifest,
) -> Result<Proof, Error> {
    let depth = manifest.depth();
    let intent = json!({"id": manifest.id, "depth": depth});
    ctx.change(
        "verify",
        &format!("restore {} into a throwaway server and compare", manifest.id),
        intent,
        || {
            let place = format!("{BACKUPS}/{}", directory_name(files));
            let begun = Instant::now();
            roles(server, files, manifest, &place)?;
            let database = Database { tablespace: "pg_default".into(), ..manifest.database.clone() };
            server.connect("template1")?.batch_execute(&database.create(&database.name))?;
            restore(ctx, server, manifest, &place)?;
            let restore_ms = milliseconds(begun);
            let reading = Instant::now();
            let connect = || server.connect(&database.name);
            let restored = fresh::read(&connect, depth)?;
            if let Some(difference) = difference(&restored, &manifest.facts()) {
                return Err(Error::Differs(difference));
            }
            dress(server, &database)?;
            let read_ms = milliseconds(reading);
            let data = json!({"restore_ms": restore_ms, "read_ms": read_ms, "tables": manifest.tables.len()});
            Ok((Proof { depth: Some(depth), restore_ms, read_ms }, data))
        },
    )
}

fn directory_name(files: &Path) -> String {
    files.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The very file that a person would run, where there is one; else the roles by name, who can own
/// and be granted but not log in.
fn roles(server: &Throwaway, files: &Path, manifest: &Manifest, place: &str) -> Result<(), Error> {
    let bootstrap = &manifest.database.bootstrap_role;
    if !files.join(GLOBALS).is_file() {
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
        (code, _) => {
            Err(Error::Throwaway { step: "psql".into(), code, problem: tg_core::process::tail(&text) })
        }
    }
}

/// The role that initdb made is there already, and a tablespace's directory is on another host.
fn expected(line: &str, bootstrap: &str) -> bool {
    line.ends_with(&format!("role \"{bootstrap}\" already exists"))
        || line.contains("tablespace")
        || line.contains("directory \"")
}

fn restore(ctx: &Context, server: &Throwaway, manifest: &Manifest, place: &str) -> Result<(), Error> {
    let name = &manifest.database.name;
    let [host, user] = server.connection();
    let (jobs, dbname, data) = (
        format!("--jobs={}", fresh::jobs()),
        format!("--dbname={}", conninfo(name)),
        format!("{place}/{DATA}"),
    );
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
        scope.spawn(|| watch(ctx, server, manifest, &done));
        // The files are readable to us alone, and that is root inside.
        let ended = server.exec(ROOT, &command);
        done.store(true, Ordering::Relaxed);
        ended
    })?;
    if code == 0 { Ok(()) } else { Err(restore_log::judge(code, &text)) }
}

/// Tells how far the data has come. What it can't see it does not tell.
fn watch(ctx: &Context, server: &Throwaway, manifest: &Manifest, done: &AtomicBool) {
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
            let _ = ctx.session.emit.progress("restoring", unsigned(size).min(total), total, "bytes");
        }
    }
}

/// Owner, settings and grants as a restore would give them.
fn dress(server: &Throwaway, database: &Database) -> Result<(), Error> {
    let mut client = server.connect("template1")?;
    for statement in database.dress(&database.name) {
        client.batch_execute(&statement).map_err(|error| Error::NotRestorable {
            object: Some(statement.clone()),
            problem: tg_core::database::describe(&error),
        })?;
    }
    Ok(())
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
