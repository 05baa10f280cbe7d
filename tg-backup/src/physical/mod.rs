//! Copies of a whole server's files: faster than a dump by far, and back with nothing to rebuild;
//! but only on the same major version and kind of machine, and all or nothing.

pub(crate) mod basebackup;
pub(crate) mod chain;
pub(crate) mod pgbackrest;
pub(crate) mod prove;
mod room;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tg_core::backup::{Method, Physical};
use tg_core::database::Client;
use tg_core::thread::joined;

use crate::cli::CreateOptions;
use crate::context::Context;
use crate::create::depth;
use crate::error::Error;
use crate::facts::{self, Facts, LargeObjects, Table};
use crate::snapshot::Snapshot;
use crate::standoff::Standoff;
use crate::taken::Taken;
use crate::tally::Tally;

const SIZE: &str =
    "SELECT pg_catalog.sum(pg_catalog.pg_database_size(oid))::bigint FROM pg_catalog.pg_database";
/// The next transaction: as long as it stays the same, nobody has written anything in the server.
const NEXT: &str = "SELECT pg_catalog.pg_current_snapshot()::text";
const TABLESPACES: &str =
    "SELECT spcname::text FROM pg_catalog.pg_tablespace WHERE spcname !~ '^pg_' ORDER BY spcname";

/// What was read of the tables.
type Read = (Vec<Table>, LargeObjects);
const TICK: Duration = Duration::from_secs(1);

/// Whether a copy shall end before its time.
type GiveUp<'a> = &'a (dyn Fn() -> bool + Sync);

/// What was copied, as its program names it.
pub(crate) struct Copied {
    pub method: Method,
    pub format: &'static str,
    pub compression: &'static str,
    pub physical: Physical,
}

/// Bytes of all databases of the server.
pub(crate) fn server_bytes(client: &mut Client) -> Result<i64, Error> {
    Ok(client.query_one(SIZE, &[])?.get(0))
}

/// Tablespaces would go where those of the live server are.
pub(crate) fn refuse_tablespaces(client: &mut Client) -> Result<(), Error> {
    let names: Vec<String> = client.query(TABLESPACES, &[])?.iter().map(|r| r.get(0)).collect();
    if names.is_empty() { Ok(()) } else { Err(Error::Tablespaces(names)) }
}

/// Reads the tables of our database while somebody copies the server's files.
pub(crate) fn beside(
    ctx: &Context,
    options: &CreateOptions,
    copy: impl FnOnce(GiveUp) -> Result<Copied, Error>,
) -> Result<Taken, Error> {
    let mut snapshot = Snapshot::take(ctx, options.lock_wait)?;
    let (sequences, extensions) =
        (facts::sequences(&mut snapshot.client)?, facts::extensions(&mut snapshot.client)?);
    let roles = facts::roles(&mut snapshot.client)?;
    let (copied, read) = read_beside(ctx, options, &snapshot, copy)?;
    let mut client = ctx.target.connect(crate::TOOL, None)?;
    let unwritten = client.query_one(NEXT, &[])?.get::<_, String>(0) == snapshot.at;
    let still = read.is_some() && unwritten;
    // What was written meanwhile is in the copy and was not read.
    let facts = match read.filter(|_| still) {
        Some((tables, large_objects)) => {
            let tables = without_unlogged(ctx, tables)?;
            Facts { tables, sequences, extensions, large_objects, views: Vec::new() }
        }
        None => Facts::default(),
    };
    Ok(Taken {
        method: copied.method,
        facts,
        roles,
        snapshot: snapshot.at,
        since: snapshot.since,
        format: copied.format,
        compression: copied.compression,
        jobs: 1,
        physical: Some(Physical { still, ..copied.physical }),
    })
}

fn read_beside(
    ctx: &Context,
    options: &CreateOptions,
    snapshot: &Snapshot,
    copy: impl FnOnce(GiveUp) -> Result<Copied, Error>,
) -> Result<(Copied, Option<Read>), Error> {
    let connect = || Ok(ctx.target.connect(crate::TOOL, None)?);
    let tally = Tally::new(&connect, Some(&snapshot.id), depth(ctx, options, 1)?, 1);
    let mut tables = snapshot.tables.clone();
    let failed = AtomicBool::new(false);
    let give_up = || failed.load(Ordering::Relaxed);
    let note = |_: &Error| failed.store(true, Ordering::Relaxed);
    let (standoff, done) = (Standoff::default(), AtomicBool::new(false));
    let (copied, read) = std::thread::scope(|scope| {
        scope.spawn(|| make_way(ctx, &standoff, &done));
        let reading = scope.spawn(|| {
            let read = tally.read(&mut tables);
            done.store(true, Ordering::Relaxed);
            read.inspect_err(|error| {
                if standoff.met().is_none() {
                    note(error);
                }
            })
        });
        let copied = copy(&give_up);
        if copied.is_err()
            && let Ok(mut client) = connect()
        {
            tally.stop(&mut client);
        }
        (copied, joined(reading))
    });
    let copied = copied?;
    match read {
        // Whoever we made way for writes: what was read is not what is in the copy.
        Err(_) if standoff.met().is_some() => Ok((copied, None)),
        read => Ok((copied, Some((tables, read?)))),
    }
}

/// Reading is given up for whoever waits for us while we wait behind him: the copy needs no lock.
fn make_way(ctx: &Context, standoff: &Standoff, done: &AtomicBool) {
    let Ok(mut client) = ctx.target.connect(crate::TOOL, None) else { return };
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
        // What can't be seen is not told: the copy does not depend on it.
        let _ = standoff.yield_to(&mut client);
    }
}

/// The rows of unlogged tables are in no copy of files: they are empty after a crash, too.
fn without_unlogged(ctx: &Context, mut tables: Vec<Table>) -> Result<Vec<Table>, Error> {
    for table in tables.iter_mut().filter(|t| t.unlogged) {
        (table.rows, table.hash, table.data_hash) = (None, None, None);
        table.computed = None;
        let msg = format!("{} is unlogged: its rows are not in the backup", table.plain());
        ctx.session.emit.warning("unlogged", &msg, json!({"object": table.plain()}))?;
    }
    Ok(tables)
}
