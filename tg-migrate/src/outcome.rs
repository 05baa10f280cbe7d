//! What a migration did, whatever its exit code says: by the catalog, by the rows, by the migrator's own history.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tg_core::Truth;
use tg_core::database::Client;
use tg_core::transactions::Transactions;

use crate::compat::{self, Change};
use crate::context::Context;
use crate::diff;
use crate::error::MigrateError;
use crate::mark::{Mark, Written};
use crate::remains;
use crate::watch::{Ledger, Watched};

/// The status of a transaction, of one that is known: 'committed', 'aborted', 'in progress'.
const COMMITTED: &str = "SELECT pg_catalog.count(*) FROM pg_catalog.unnest($1::bigint[]) AS x(xid) WHERE \
    pg_catalog.pg_xact_status((pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint \
    - (pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint - x.xid) % 4294967296)::text::xid8) = 'committed'";
const OTHERS: &str = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() \
    AND backend_type = 'client backend' AND application_name NOT LIKE 'tg-migrate%'";

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// It ended well and left nothing.
    NothingToDo,
    Applied,
    /// It ended well; nothing of it is to be seen, and it can't be told whether it wrote.
    NothingSeen,
    /// It waited for a lock for too long, or was cancelled for it, and left nothing: run it again.
    LockTimeout,
    /// It failed and left nothing.
    FailedClean,
    /// It failed and left something.
    FailedDirty,
    /// It failed, and it can't be told whether it left something.
    FailedUnknown,
}

/// What the server shows of a migration that has ended.
pub(crate) struct Outcome {
    before: String,
    /// Nothing where the server could not be asked.
    seen: Option<Seen>,
    /// Whether the database is other than it was.
    changed: Truth,
}

struct Seen {
    after: Mark,
    changes: Vec<Change>,
    rows: Vec<Written>,
    /// Whether nobody else was there: then the rows are the migrator's.
    alone: bool,
    /// Whether the migrator was seen to write in a transaction that was committed.
    committed: bool,
    applied: Vec<String>,
    rewritten: Vec<String>,
    /// Sequences that stand elsewhere.
    moved: Vec<String>,
    transactions: Transactions,
    /// Whether nothing of the migrator is left that could still write.
    gone: Truth,
}

impl Outcome {
    /// Ends what is left of the migrator, and looks; what can't be seen is not known. `well`: it ended with 0. `cut`: it was
    /// ended before its time.
    pub(crate) fn find(
        ctx: &Context,
        client: &mut Client,
        before: &Mark,
        watched: &Watched,
        (well, cut): (bool, bool),
    ) -> Self {
        let hash = before.catalog.hash();
        match Seen::look(ctx, client, before, watched, cut) {
            Ok(seen) => Outcome { before: hash, changed: seen.changed(well), seen: Some(seen) },
            Err(error) => Outcome {
                before: hash,
                changed: Truth::unknown(format!("the database could not be looked at: {error}")),
                seen: None,
            },
        }
    }

    /// The catalog's hash afterwards, where it was read.
    pub(crate) fn schema(&self) -> Option<String> {
        self.seen.as_ref().map(|seen| seen.after.catalog.hash())
    }

    /// Whether the migration left anything.
    pub(crate) fn changed(&self) -> &Truth {
        &self.changed
    }

    pub(crate) fn ending(&self, well: bool, locked_out: bool) -> Ending {
        match (well, &self.changed) {
            (true, Truth::No) => Ending::NothingToDo,
            (true, Truth::Yes) => Ending::Applied,
            (true, Truth::Unknown(_)) => Ending::NothingSeen,
            (false, Truth::Yes) => Ending::FailedDirty,
            (false, Truth::Unknown(_)) => Ending::FailedUnknown,
            (false, Truth::No) if locked_out => Ending::LockTimeout,
            (false, Truth::No) => Ending::FailedClean,
        }
    }

    /// One record for each change, table written to, migration, lock, and longest wait.
    pub(crate) fn tell(
        &self,
        ctx: &Context,
        ledger: &Ledger,
        names: &HashMap<i64, String>,
    ) -> Result<(), MigrateError> {
        let emit = &ctx.session.emit;
        if let Some(seen) = &self.seen {
            seen.tell(ctx)?;
        }
        for (msg, data) in ledger.records(names) {
            emit.record(&msg, data)?;
        }
        Ok(())
    }

    pub(crate) fn data(&self, before: &Mark, ledger: &Ledger) -> Map<String, Value> {
        let mut data = Map::new();
        self.changed.put(&mut data, "changed");
        data.insert("schema_before".into(), json!(self.before));
        if let Some(seen) = &self.seen {
            data.extend(seen.data(before));
        }
        data.insert("longest_block_ms".into(), json!(ledger.longest_block_ms()));
        data.insert("blocked_sessions".into(), json!(ledger.blocked_sessions()));
        data
    }

    /// What a migration that ended well has done, to this database.
    pub(crate) fn sentence(&self, database: &str, ledger: &Ledger) -> String {
        let blocked = match ledger.longest_block_ms() {
            0 => String::new(),
            ms => format!("; nobody waited longer than {ms} ms behind it"),
        };
        let changes = self.seen.as_ref().map_or(0, |seen| seen.changes.len());
        let what = match &self.changed {
            Truth::No => format!("the migrations changed nothing in {database}"),
            Truth::Yes if changes > 0 => format!("migrated: {changes} changes in the schema of {database}"),
            Truth::Yes => format!("migrated: rows were written, the schema of {database} is as before"),
            Truth::Unknown(why) => format!(
                "the migrations ended well and the schema of {database} is as before; whether they wrote rows can't be told: {why}"
            ),
        };
        format!("{what}{blocked}")
    }
}

impl Seen {
    fn look(
        ctx: &Context,
        client: &mut Client,
        before: &Mark,
        watched: &Watched,
        cut: bool,
    ) -> Result<Self, MigrateError> {
        // The migrator may have run for hours and the server may have dropped our idle session.
        let mut fresh;
        let client = if client.is_valid(Duration::from_secs(5)).is_ok() {
            client
        } else {
            fresh = ctx.connect()?;
            &mut fresh
        };
        let gone = remains::end(ctx, client, &watched.traces, cut)?;
        let after = Mark::take(client)?;
        let xids: Vec<i64> = watched.ledger.xids.iter().copied().collect();
        Ok(Seen {
            changes: compat::changes(&before.catalog, &after.catalog),
            rows: before.rows_until(&after),
            alone: client.query_one(OTHERS, &[])?.get::<_, i64>(0) == 0,
            committed: !xids.is_empty() && client.query_one(COMMITTED, &[&xids])?.get::<_, i64>(0) > 0,
            applied: after.applied_since(before),
            rewritten: after.rewritten_since(before),
            moved: after.moved_since(before),
            transactions: Transactions::since(client, before.xid)?,
            gone,
            after,
        })
    }

    /// Whether the database is other than it was. As before is said only where the catalog is the same, no transaction of the
    /// whole server was committed, no sequence has moved, and nothing is left that could still write. Of a migrator that ended
    /// well it is enough that the server counted no row of this database while nobody else was in it.
    fn changed(&self, well: bool) -> Truth {
        let seen = !self.changes.is_empty()
            || self.committed
            || !self.applied.is_empty()
            || (self.alone && !(self.kept_rows().is_empty() && self.moved.is_empty()));
        if seen {
            return Truth::Yes;
        }
        if well && self.alone && self.after.counts && self.gone.is_yes() {
            return Truth::No;
        }
        let sequences = match self.moved.as_slice() {
            [] => Truth::Yes,
            moved => {
                Truth::unknown(format!("sequence {} has moved, and others were connected", moved.join(", ")))
            }
        };
        !self.gone.clone().and(self.transactions.wrote_nothing()).and(sequences)
    }

    /// Rows that were written and may have been kept; what was rolled back is counted by the server as well.
    fn kept_rows(&self) -> &[Written] {
        if self.transactions.wrote_nothing().is_yes() { &[] } else { &self.rows }
    }

    fn tell(&self, ctx: &Context) -> Result<(), MigrateError> {
        let emit = &ctx.session.emit;
        diff::tell(ctx.session, &self.changes)?;
        for name in &self.applied {
            emit.record(&format!("applied {name}"), json!({"kind": "applied", "name": name}))?;
        }
        for name in &self.rewritten {
            emit.record(&format!("rewrote {name}"), json!({"kind": "rewritten", "relation": name}))?;
        }
        for written in self.kept_rows() {
            let mut data = written.data();
            data["kind"] = json!("rows");
            data["by"] = json!(self.by());
            emit.record(&format!("{} rows written in {}", written.total(), written.place()), data)?;
        }
        Ok(())
    }

    fn by(&self) -> &'static str {
        if self.alone { "migrator" } else { "anybody" }
    }

    fn data(&self, before: &Mark) -> Map<String, Value> {
        let rows: i64 = self.kept_rows().iter().map(Written::total).sum();
        let data = json!({
            "schema_changed": !self.changes.is_empty(), "schema_after": self.after.catalog.hash(), "applied": self.applied,
            "rows_written": rows, "rows_by": self.by(), "sequences_moved": self.moved, "wal_bytes": self.after.wal_bytes - before.wal_bytes,
            "xid_after": self.transactions.next, "transactions_committed": self.transactions.committed,
        });
        data.as_object().cloned().unwrap_or_default()
    }
}

/// Names that are in one list more often than in the other.
pub(crate) fn more(before: &[String], after: &[String]) -> Vec<String> {
    let mut known: BTreeMap<&String, usize> = BTreeMap::new();
    for name in before {
        *known.entry(name).or_default() += 1;
    }
    let new = after.iter().filter(|name| match known.get_mut(name) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => true,
    });
    new.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_told_however_often_it_was_there_before() {
        let of = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(more(&of(&["a", "b"]), &of(&["b", "a", "a", "c"])), of(&["a", "c"]));
        assert!(more(&of(&["a"]), &of(&["a"])).is_empty());
    }
}
