//! One moment of a database, for whoever imports it: the dump and the counts see the very same rows.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;
use tg_core::database::Client;

use crate::context::Context;
use crate::error::Error;
use crate::facts::{self, Table};
use crate::locks::Budget;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const EXPORT: &str = "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot()::text";
/// Transactions of other databases, which write nothing here. One that nobody sees any more is not
/// among them.
const ELSEWHERE: &str = "SELECT backend_xid::text::bigint FROM pg_catalog.pg_stat_activity \
    WHERE datname <> pg_catalog.current_database() AND backend_xid IS NOT NULL";
/// A role's own limits must not end a count; a policy must not hide rows from it, as in pg_dump.
pub(crate) const UNLIMITED: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
    SET row_security = off";
/// How often to begin anew when a table is changed between the snapshot and the lock on it.
const ATTEMPTS: u32 = 3;

/// A transaction that keeps its snapshot for others to import, as long as this lives.
pub(crate) struct Snapshot {
    pub client: Client,
    /// What `SET TRANSACTION SNAPSHOT` takes.
    pub id: String,
    /// `pg_current_snapshot()`.
    pub at: String,
    /// What this transaction and later ones write to this database is not in it, and whatever
    /// earlier ones have written is.
    pub since: u64,
    /// The tables in it, with their sizes.
    pub tables: Vec<Table>,
    /// Whether we hold them against changes of their structure ourselves.
    pub held: bool,
}

impl Snapshot {
    /// Takes one in which no table is changed before it can be read: `TRUNCATE` and `ALTER TABLE`
    /// do not keep to snapshots.
    pub(crate) fn take(ctx: &Context, lock_wait: Duration) -> Result<Self, Error> {
        for attempt in 1.. {
            let mut snapshot = Self::export(ctx, lock_wait)?;
            let Some(table) = snapshot.moved(ctx)? else { return Ok(snapshot) };
            if attempt == ATTEMPTS {
                return Err(Error::Moving(table));
            }
            let msg = format!("{table} was changed in this moment; taking a new snapshot");
            ctx.session.emit.warning("structure-changed", &msg, json!({"table": table}))?;
        }
        unreachable!("the last attempt returns")
    }

    fn export(ctx: &Context, lock_wait: Duration) -> Result<Self, Error> {
        let mut client = ctx.target.connect(crate::TOOL, None)?;
        client
            .batch_execute(&format!("{UNLIMITED}; SET lock_timeout = {}; {BEGIN}", lock_wait.as_millis()))?;
        let row = client.query_one(EXPORT, &[])?;
        let elsewhere = client.query(ELSEWHERE, &[])?.iter().map(|r| r.get(0)).collect();
        let mut tables = facts::tables(&mut client)?;
        let held = Budget::of(&mut client)?.may_hold(tables.len());
        if held {
            hold(&mut client, &tables)?;
        }
        facts::sizes(&mut client, &mut tables)?;
        let at: String = row.get(1);
        let since = since(&at, &elsewhere).unwrap_or(0);
        Ok(Snapshot { client, id: row.get(0), at, since, tables, held })
    }

    /// A table that is not as it was in the snapshot.
    pub(crate) fn moved(&mut self, ctx: &Context) -> Result<Option<String>, Error> {
        let mut now = ctx.target.connect(crate::TOOL, None)?;
        let now: HashMap<u32, String> =
            facts::tables(&mut now)?.into_iter().map(|t| (t.oid, t.written)).collect();
        Ok(self.tables.iter().find(|t| now.get(&t.oid) != Some(&t.written)).map(Table::plain))
    }
}

/// From `xmin:xmax:xip,xip…`: the oldest transaction that ran, unless it is one of another database;
/// where all are, the next one to come. A snapshot does not list subtransactions, so that the list
/// alone can't tell the rows of one that ran from those of one that had ended.
fn since(snapshot: &str, elsewhere: &HashSet<i64>) -> Option<u64> {
    let mut parts = snapshot.splitn(3, ':');
    let (_, next) = (parts.next()?, parts.next()?.parse().ok()?);
    let running = parts.next()?.split(',').filter_map(|xid| xid.parse::<u64>().ok());
    // Sessions tell 32 bits.
    let here = |xid: &u64| !elsewhere.contains(&i64::from(u32::try_from(xid % (1 << 32)).unwrap_or(0)));
    Some(running.filter(here).min().unwrap_or(next))
}

/// Keeps anybody from emptying or changing a table before it has been counted and dumped.
fn hold(client: &mut Client, tables: &[Table]) -> Result<(), Error> {
    if tables.is_empty() {
        return Ok(());
    }
    let names = tables.iter().map(|t| format!("ONLY {}", t.quoted())).collect::<Vec<_>>().join(", ");
    Ok(client.batch_execute(&format!("LOCK TABLE {names} IN ACCESS SHARE MODE"))?)
}

/// A connection that sees what the snapshot saw, in a transaction of its own.
pub(crate) fn import(client: &mut Client, id: &str) -> Result<(), Error> {
    // Names of snapshots are hexadecimal digits and dashes.
    Ok(client.batch_execute(&format!("{BEGIN}; SET TRANSACTION SNAPSHOT '{id}'"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_of_another_database_makes_no_row_here_look_new() {
        let elsewhere = |xids: &[i64]| xids.iter().copied().collect();
        assert_eq!(since("90:100:", &elsewhere(&[])), Some(100));
        assert_eq!(since("90:100:90,95", &elsewhere(&[])), Some(90));
        assert_eq!(since("90:100:90,95", &elsewhere(&[90])), Some(95));
        assert_eq!(since("90:100:90,95", &elsewhere(&[90, 95])), Some(100));
        assert_eq!(since("4294967386:4294967396:4294967386", &elsewhere(&[90])), Some(4_294_967_396));
        assert_eq!(since("odd", &elsewhere(&[])), None);
    }
}
