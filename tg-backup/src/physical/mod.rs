//! Copies of a whole server's files: faster than a dump by far, and back with nothing to rebuild;
//! but only on the same major version and kind of machine, and all or nothing.

pub(crate) mod basebackup;
pub(crate) mod chain;
pub(crate) mod pgbackrest;
pub(crate) mod prove;
mod room;

use std::sync::atomic::{AtomicBool, Ordering};

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
use crate::taken::Taken;
use crate::tally::Tally;

const SIZE: &str =
    "SELECT pg_catalog.sum(pg_catalog.pg_database_size(oid))::bigint FROM pg_catalog.pg_database";
/// The next transaction: as long as it stays the same, nobody has written anything in the server.
const NEXT: &str = "SELECT pg_catalog.pg_current_snapshot()::text";
const TABLESPACES: &str =
    "SELECT spcname::text FROM pg_catalog.pg_tablespace WHERE spcname !~ '^pg_' ORDER BY spcname";

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
    let (copied, tables, large_objects) = read_beside(ctx, options, &snapshot, copy)?;
    let mut client = ctx.target.connect(crate::TOOL, None)?;
    let still = client.query_one(NEXT, &[])?.get::<_, String>(0) == snapshot.at;
    // What was written meanwhile is in the copy and was not read.
    let facts = if still {
        Facts { tables: without_unlogged(ctx, tables)?, sequences, extensions, large_objects }
    } else {
        Facts::default()
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
) -> Result<(Copied, Vec<Table>, LargeObjects), Error> {
    let connect = || Ok(ctx.target.connect(crate::TOOL, None)?);
    let tally = Tally::new(&connect, Some(&snapshot.id), depth(ctx, options, 1)?, 1);
    let mut tables = snapshot.tables.clone();
    let failed = AtomicBool::new(false);
    let give_up = || failed.load(Ordering::Relaxed);
    let note = |_: &Error| failed.store(true, Ordering::Relaxed);
    let (copied, read) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| tally.read(&mut tables).inspect_err(note));
        let copied = copy(&give_up);
        if copied.is_err()
            && let Ok(mut client) = connect()
        {
            tally.stop(&mut client);
        }
        (copied, joined(reading))
    });
    let copied = copied?;
    Ok((copied, tables, read?))
}

/// The rows of unlogged tables are in no copy of files: they are empty after a crash, too.
fn without_unlogged(ctx: &Context, mut tables: Vec<Table>) -> Result<Vec<Table>, Error> {
    for table in tables.iter_mut().filter(|t| t.unlogged) {
        (table.rows, table.hash) = (None, None);
        let msg = format!("{} is unlogged: its rows are not in the backup", table.plain());
        ctx.session.emit.warning("unlogged", &msg, json!({"object": table.plain()}))?;
    }
    Ok(tables)
}
