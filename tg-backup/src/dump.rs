//! The dump itself, and the counts from its own snapshot: what makes it a proof.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use postgres::{Client, IsolationLevel};
use serde_json::json;

use crate::context::Context;
use crate::database::Database;
use crate::error::Error;
use crate::facts::{self, Facts, Table};
use crate::sidecar::{BACKUP, Sidecar};

/// Where the dump is in a backup.
pub(crate) const DATA: &str = "data";
/// Roles and tablespaces, without passwords.
pub(crate) const GLOBALS: &str = "globals.sql";
/// The dump's table of contents, for people and for `pg_restore --use-list`.
pub(crate) const CONTENTS: &str = "contents.txt";
/// Two tables at a time: a third worker waits for the first two on the machines that this is for.
pub(crate) const JOBS: &str = "--jobs=2";
/// zstd at level 1 takes a third of gzip's time for less space; pg_dump knows it since 16.
const ZSTD: &str = "zstd:1";
const ZSTD_SINCE: i32 = 160_000;
const GZIP: &str = "1";
const EXPORT: &str = "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot()::text";
const SUPERUSER: &str = "SELECT pg_catalog.current_setting('is_superuser') = 'on'";

/// What a dump is known to hold.
pub(crate) struct Dumped {
    pub facts: Facts,
    pub snapshot: String,
    pub compression: &'static str,
}

/// Dumps and counts in one snapshot, then checks that the one covers the other.
pub(crate) fn run(
    ctx: &Context,
    directory: &Path,
    database: &Database,
    lock_wait: Duration,
) -> Result<Dumped, Error> {
    let compression = if database.server_version_num >= ZSTD_SINCE { ZSTD } else { GZIP };
    let intent = json!({"database": database.name, "directory": directory, "compression": compression});
    ctx.change("dump", &format!("dump {}", database.name), intent, || {
        let mut client = ctx.target.connect(crate::TOOL, None)?;
        let counted = in_one_snapshot(&mut client, lock_wait, |snapshot| {
            let arguments = dump_arguments(&database.name, snapshot, compression, lock_wait);
            Sidecar::writing(ctx, directory).run("pg_dump", &arguments)
        });
        let (facts, snapshot) = counted.map_err(|e| who_holds(ctx, e))?;
        contents(ctx, directory, &facts.tables)?;
        let data =
            json!({"tables": facts.tables.len(), "rows": facts.tables.iter().map(|t| t.rows).sum::<i64>()});
        Ok((Dumped { facts, snapshot, compression }, data))
    })
}

fn dump_arguments(name: &str, snapshot: &str, compression: &str, lock_wait: Duration) -> Vec<String> {
    vec![
        "--format=directory".into(),
        format!("--file={BACKUP}/{DATA}"),
        JOBS.into(),
        format!("--compress={compression}"),
        format!("--snapshot={snapshot}"),
        format!("--lock-wait-timeout={}", lock_wait.as_millis()),
        // Every file is made durable when it is hashed.
        "--no-sync".into(),
        format!("--dbname={}", conninfo(name)),
    ]
}

/// A database's name as a connection string: a bare name with = or :// in it would be taken for one.
pub(crate) fn conninfo(name: &str) -> String {
    format!("dbname='{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Holds a snapshot, and counts in it while the work that imports it goes on.
fn in_one_snapshot(
    client: &mut Client,
    lock_wait: Duration,
    work: impl FnOnce(&str) -> Result<(), Error>,
) -> Result<(Facts, String), Error> {
    client.batch_execute(&format!("{}; SET lock_timeout = {}", facts::UNLIMITED, lock_wait.as_millis()))?;
    let mut transaction =
        client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start()?;
    let row = transaction.query_one(EXPORT, &[])?;
    let (exported, snapshot): (String, String) = (row.get(0), row.get(1));
    let tables = facts::tables(&mut transaction)?;
    facts::hold(&mut transaction, &tables)?;
    let (dumped, counted) = std::thread::scope(|scope| {
        let counting = scope.spawn(|| facts::read(&mut transaction, tables));
        let dumped = work(&exported);
        (dumped, counting.join())
    });
    // A count that fails takes the snapshot away from the dump: its reason is the first one.
    let counted = counted.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    dumped?;
    transaction.commit()?;
    Ok((counted, snapshot))
}

/// Says who it is when a table could not be had.
fn who_holds(ctx: &Context, error: Error) -> Error {
    let in_vain = error.to_string().contains("lock timeout");
    let holders = || ctx.cluster()?.holders(&ctx.target.name);
    match in_vain.then(holders) {
        Some(Ok(sessions)) => Error::Held { database: ctx.target.name.clone(), sessions },
        _ => error,
    }
}

/// Keeps the dump's table of contents, and finds the data of every table that has rows in it.
fn contents(ctx: &Context, directory: &Path, tables: &[Table]) -> Result<(), Error> {
    let arguments = ["--list".into(), format!("--file={BACKUP}/{CONTENTS}"), format!("{BACKUP}/{DATA}")];
    Sidecar::writing(ctx, directory).run("pg_restore", &arguments)?;
    let path = directory.join(CONTENTS);
    let text = std::fs::read_to_string(&path).map_err(|e| tg_core::Error::file(&path, &e))?;
    let listed = table_data(&text);
    for table in tables.iter().filter(|t| t.rows > 0) {
        let Some(entry) = listed.get(&table.oid) else {
            return Err(Error::Incomplete(format!("it lacks the rows of {}", table.plain())));
        };
        let there = |end: &str| {
            let file = directory.join(DATA).join(format!("{entry}.dat{end}"));
            file.metadata().is_ok_and(|m| m.len() > 0)
        };
        if !["", ".gz", ".zst", ".lz4"].into_iter().any(there) {
            return Err(Error::Incomplete(format!("it has no data file for {}", table.plain())));
        }
    }
    Ok(())
}

/// Which entry of a table of contents holds the rows of which table. Tables are told by oid, which
/// needs no quoting: `3456; 0 16403 TABLE DATA public places owner`.
fn table_data(contents: &str) -> HashMap<u32, u32> {
    let entry = |line: &str| {
        let (entry, rest) = line.split_once("; ")?;
        let mut words = rest.split(' ');
        let (_, oid) = (words.next()?, words.next()?);
        let data = (words.next()?, words.next()?) == ("TABLE", "DATA");
        data.then(|| Some((oid.parse().ok()?, entry.parse().ok()?)))?
    };
    contents.lines().filter_map(entry).collect()
}

/// Roles and tablespaces, which no dump of one database holds. Who may not read them gets a warning.
pub(crate) fn globals(ctx: &Context, directory: &Path) -> Result<(), Error> {
    ctx.change("globals", "dump roles and tablespaces", json!({}), || {
        let arguments = [
            "--globals-only".into(),
            "--no-role-passwords".into(),
            "--no-sync".into(),
            format!("--file={BACKUP}/{GLOBALS}"),
        ];
        match Sidecar::writing(ctx, directory).run("pg_dumpall", &arguments) {
            Err(Error::Client { problem, .. }) if !superuser(ctx)? => {
                let msg = format!("roles and tablespaces are not in the backup: {problem}");
                ctx.session.emit.warning("no-globals", &msg, json!({"user": ctx.target.user}))?;
                let _ = std::fs::remove_file(directory.join(GLOBALS));
                Ok(((), json!({"globals": false})))
            }
            Err(error) => Err(error),
            Ok(()) => Ok(((), json!({"globals": true}))),
        }
    })
}

fn superuser(ctx: &Context) -> Result<bool, Error> {
    Ok(ctx.target.connect(crate::TOOL, None)?.query_one(SUPERUSER, &[])?.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_in_a_table_of_contents_whatever_their_names() {
        let text = ";\n; Archive created\n;\n225; 1259 16403 TABLE public a TABLE DATA o\n\
            3456; 0 16403 TABLE DATA we ird Tä\"b le o\n3457; 0 16410 SEQUENCE SET public s o\n";
        assert_eq!(table_data(text), HashMap::from([(16403, 3456)]));
    }

    #[test]
    fn a_name_can_not_become_a_connection_string() {
        assert_eq!(conninfo("host=evil"), "dbname='host=evil'");
        assert_eq!(conninfo("a'b\\"), "dbname='a\\'b\\\\'");
    }
}
