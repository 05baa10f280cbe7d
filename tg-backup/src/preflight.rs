//! What can be known before a backup is begun.

use std::path::Path;

use serde_json::json;
use tg_core::backup::Error as BackupError;
use tg_core::backup::database::Database;
use tg_core::bytes::{self, unsigned};
use tg_core::database::Client;

use crate::census::Census;
use crate::context::Context;
use crate::error::Error;
use crate::locks::Budget;
use crate::{bound, facts, host};

const FINDINGS: &str = include_str!("sql/findings.sql");
/// The operating system's or ICU's collations have changed under the database: indexes on texts may
/// be out of order. Known since 15.
const COLLATION: &str = "SELECT pg_catalog.pg_database_collation_actual_version(oid) FROM pg_catalog.pg_database \
    WHERE datname = pg_catalog.current_database()";
const COLLATION_SINCE: i32 = 150_000;
/// A compressed dump is smaller than the database: indexes are left out and text compresses well.
/// What must be free at least, as a part of the database's size.
const SPACE_DIVISOR: u64 = 4;

/// Fails where a backup can't be made, and warns of what it would lack.
pub(crate) fn run(ctx: &Context) -> Result<Database, Error> {
    let mut database = ctx.cluster()?.database(&ctx.target.name)?;
    if ctx.target.container.is_none() {
        host::check(database.major())?;
    }
    space(ctx.store.root(), database.size_bytes)?;
    Census::take(ctx)?.warn(ctx)?;
    let mut client = ctx.target.connect(crate::TOOL, None)?;
    warn(ctx, &mut client, &database)?;
    database.named_by = bound::named_by(&mut client, &database)?;
    bound::warn(ctx, &database)?;
    Ok(database)
}

/// Fails where a compressed copy of so many bytes can't have room.
pub(crate) fn space(root: &Path, size: i64) -> Result<(), Error> {
    let there = root.ancestors().find(|d| d.is_dir()).unwrap_or(root);
    enough(&root.display().to_string(), bytes::free(there)?, size)
}

/// Fails where a compressed copy of so many bytes can't have room in what is free.
pub(crate) fn enough(directory: &str, free: u64, size: i64) -> Result<(), Error> {
    let needed = unsigned(size) / SPACE_DIVISOR;
    if free < needed {
        return Err(BackupError::NoSpace { directory: directory.to_owned(), free, needed }.into());
    }
    Ok(())
}

fn warn(ctx: &Context, client: &mut Client, database: &Database) -> Result<(), Error> {
    let emit = &ctx.session.emit;
    for row in client.query(FINDINGS, &[])? {
        let (code, object, msg): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        emit.warning(&code, &msg, json!({"object": object}))?;
    }
    if database.server_version_num >= COLLATION_SINCE {
        let now: Option<String> = client.query_one(COLLATION, &[])?.get(0);
        if let (Some(now), Some(was)) = (now, &database.collation_version)
            && now != *was
        {
            let msg = format!(
                "the collations are of version {now} now and were of {was}: indexes on texts may be out of order"
            );
            emit.warning("collation-changed", &msg, json!({"now": now, "was": was}))?;
        }
    }
    let tables = facts::tables(client)?.len();
    if let Some(wanted) = Budget::of(client)?.wanted(tables) {
        let msg = format!(
            "{tables} tables want as many locks, and the server has few: others may be refused theirs; set max_locks_per_transaction to {wanted}"
        );
        emit.warning("locks", &msg, json!({"tables": tables, "max_locks_per_transaction": wanted}))?;
    }
    let holders = ctx.cluster()?.holders(&ctx.target.name)?;
    if let Some(first) = holders.first() {
        let msg = format!("{} has locked tables of {}; waiting for it", first.describe(), database.name);
        emit.warning("blockers", &msg, json!({"sessions": holders}))?;
    }
    Ok(())
}
