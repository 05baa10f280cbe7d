//! What a migration did, whatever its exit code says: by the catalog, by the rows, by the migrator's own history.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tg_core::database::Client;

use crate::compat::{self, Change};
use crate::context::Context;
use crate::diff;
use crate::error::MigrateError;
use crate::mark::{self, Mark, Written};
use crate::watch::Ledger;

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
    NothingToDo,
    Applied,
    /// It waited for a lock for too long, or was cancelled for it, and left nothing: run it again.
    LockTimeout,
    /// It failed and left nothing.
    FailedClean,
    /// It failed and left something.
    FailedDirty,
}

pub(crate) struct Outcome {
    before: String,
    after: Mark,
    changes: Vec<Change>,
    rows: Vec<Written>,
    /// Whether nobody else was there: then the rows are the migrator's.
    alone: bool,
    /// Whether the migrator was seen to write in a transaction that was committed.
    committed: bool,
    applied: Vec<String>,
    rewritten: Vec<String>,
}

impl Outcome {
    pub(crate) fn find(
        ctx: &Context,
        client: &mut Client,
        application: &str,
        before: &Mark,
        ledger: &Ledger,
    ) -> Result<Self, MigrateError> {
        // The migrator may have run for hours and the server may have dropped our idle session.
        let mut fresh;
        let client = if client.is_valid(Duration::from_secs(5)).is_ok() {
            client
        } else {
            fresh = ctx.connect()?;
            &mut fresh
        };
        mark::settle(client, application)?;
        let after = Mark::take(client)?;
        let xids: Vec<i64> = ledger.xids.iter().copied().collect();
        Ok(Outcome {
            before: before.catalog.hash(),
            changes: compat::changes(&before.catalog, &after.catalog),
            rows: before.rows_until(&after),
            alone: client.query_one(OTHERS, &[])?.get::<_, i64>(0) == 0,
            committed: !xids.is_empty() && client.query_one(COMMITTED, &[&xids])?.get::<_, i64>(0) > 0,
            applied: after.applied_since(before),
            rewritten: after.rewritten_since(before),
            after,
        })
    }

    pub(crate) fn schema_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The catalog's hash afterwards.
    pub(crate) fn schema(&self) -> String {
        self.after.catalog.hash()
    }

    /// Whether the migration left anything.
    pub(crate) fn changed(&self) -> bool {
        self.schema_changed()
            || self.committed
            || !self.applied.is_empty()
            || (self.alone && !self.rows.is_empty())
    }

    pub(crate) fn ending(&self, well: bool, locked_out: bool) -> Ending {
        match (well, self.changed()) {
            (true, false) => Ending::NothingToDo,
            (true, true) => Ending::Applied,
            (false, true) => Ending::FailedDirty,
            (false, false) if locked_out => Ending::LockTimeout,
            (false, false) => Ending::FailedClean,
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
        diff::tell(ctx.session, &self.changes)?;
        for name in &self.applied {
            emit.record(&format!("applied {name}"), json!({"kind": "applied", "name": name}))?;
        }
        for name in &self.rewritten {
            emit.record(&format!("rewrote {name}"), json!({"kind": "rewritten", "relation": name}))?;
        }
        for written in &self.rows {
            let mut data = written.data();
            data["kind"] = json!("rows");
            data["by"] = json!(if self.alone { "migrator" } else { "anybody" });
            emit.record(&format!("{} rows written in {}", written.total(), written.place()), data)?;
        }
        for (msg, data) in ledger.records(names) {
            emit.record(&msg, data)?;
        }
        Ok(())
    }

    pub(crate) fn data(&self, before: &Mark, ledger: &Ledger) -> Map<String, Value> {
        let rows: i64 = self.rows.iter().map(Written::total).sum();
        let data = json!({
            "changed": self.changed(), "schema_changed": self.schema_changed(), "schema_before": self.before,
            "schema_after": self.after.catalog.hash(), "applied": self.applied, "rows_written": rows, "rows_by": if self.alone { "migrator" } else { "anybody" },
            "wal_bytes": self.after.wal_bytes - before.wal_bytes, "xid_after": self.after.xid,
            "longest_block_ms": ledger.longest_block_ms(), "blocked_sessions": ledger.blocked_sessions(),
        });
        data.as_object().cloned().unwrap_or_default()
    }

    pub(crate) fn sentence(&self, ledger: &Ledger) -> String {
        let blocked = match ledger.longest_block_ms() {
            0 => String::new(),
            ms => format!("; nobody waited longer than {ms} ms behind it"),
        };
        let what = match (self.schema_changed(), self.changed()) {
            (false, false) => "the migrations had nothing to do".into(),
            (true, _) => format!("migrated: {} changes in the schema", self.changes.len()),
            (false, true) => "migrated: rows were written, the schema is as before".into(),
        };
        format!("{what}{blocked}")
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
