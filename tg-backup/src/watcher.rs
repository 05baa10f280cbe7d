//! Looks on while a dump goes on: how far it is, who waits for it, and whether it shall end.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::database::Client;

use crate::backends::Session;
use crate::context::Context;
use crate::error::Error;
use crate::facts::Table;
use crate::standoff::Standoff;
use crate::tally::Tally;

const PROGRESS: &str = include_str!("sql/progress.sql");
const PROGRESS_SINCE: &str = "SELECT pg_catalog.current_setting('server_version_num')::int >= 140000";
pub(crate) const WAITING: &str = include_str!("sql/waiting.sql");
const TICK: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Watcher<'a> {
    pub ctx: &'a Context<'a>,
    pub tables: &'a [Table],
    pub tally: &'a Tally<'a>,
    pub give_up: &'a (dyn Fn() -> bool + Sync),
    pub standoff: &'a Standoff,
    pub done: &'a AtomicBool,
}

impl Watcher<'_> {
    /// Until all is done. What it can't see it does not tell: the dump does not depend on it.
    pub(crate) fn watch(&self) {
        let mut client = self.ctx.target.connect(crate::TOOL, None).ok();
        let (mut progress, mut told) = (Progress::of(self.tables), HashSet::new());
        let mut looked = Instant::now();
        while !self.done.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            let Some(client) = client.as_mut() else { continue };
            if (self.give_up)() || self.ctx.session.check("").is_err() {
                self.tally.stop(client);
            } else if looked.elapsed() >= LOOK {
                let _ = self.look(client, &mut progress, &mut told);
                looked = Instant::now();
            }
        }
    }

    fn look(
        &self,
        client: &mut Client,
        progress: &mut Progress,
        told: &mut HashSet<i32>,
    ) -> Result<(), Error> {
        // The session of ours that is ended by it fails, and that ends the others.
        if self.standoff.look(client)? {
            return Ok(());
        }
        if client.query_one(PROGRESS_SINCE, &[])?.get(0) {
            let rows = client.query(PROGRESS, &[&crate::TOOL])?;
            progress.see(rows.iter().map(|r| (r.get(0), r.get(1), r.get(2))));
            self.ctx.session.emit.progress("dumping", progress.done(), progress.total, "bytes")?;
        }
        for row in client.query(WAITING, &[&crate::TOOL])? {
            let session =
                Session { pid: row.get(0), application: row.get(1), user: row.get(2), kind: row.get(3) };
            let behind: i64 = row.get(4);
            if session.pid.is_some_and(|pid| told.insert(pid)) {
                let msg = format!(
                    "{} waits for this backup, and {behind} sessions wait behind it; it would change a table that is being read",
                    session.describe()
                );
                self.ctx.session.emit.warning(
                    "holding-up",
                    &msg,
                    json!({"session": session, "behind": behind}),
                )?;
            }
        }
        Ok(())
    }
}

/// Bytes of tables that have been read, out of those of all: text and compression don't matter.
struct Progress {
    sizes: HashMap<u32, u64>,
    total: u64,
    /// Parts of the tables that were seen, 0 to 1; one that is seen no more has been read.
    seen: HashMap<u32, f64>,
}

impl Progress {
    fn of(tables: &[Table]) -> Self {
        let sizes: HashMap<u32, u64> =
            tables.iter().map(|t| (t.oid, u64::try_from(t.bytes).unwrap_or(0))).collect();
        Progress { total: sizes.values().sum(), sizes, seen: HashMap::new() }
    }

    #[expect(clippy::cast_precision_loss, reason = "a part of a table")]
    fn see(&mut self, now: impl Iterator<Item = (u32, i64, i64)>) {
        self.seen.values_mut().for_each(|part| *part = 1.0);
        for (oid, rows, all) in now {
            // A table that was never analyzed has an unknown number of rows.
            let part = if all > 0 { (rows as f64 / all as f64).min(1.0) } else { 0.0 };
            self.seen.insert(oid, part);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a positive part of a size"
    )]
    fn done(&self) -> u64 {
        self.seen
            .iter()
            .map(|(oid, part)| (self.sizes.get(oid).copied().unwrap_or(0) as f64 * part) as u64)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_seen_no_more_has_been_read() {
        let table = |oid, bytes| Table { oid, bytes, ..Table::default() };
        let mut progress = Progress::of(&[table(1, 1000), table(2, 100)]);
        assert_eq!((progress.done(), progress.total), (0, 1100));
        progress.see([(1, 5, 10)].into_iter());
        assert_eq!(progress.done(), 500);
        progress.see([(2, 1, 0)].into_iter());
        assert_eq!(progress.done(), 1000);
        progress.see(std::iter::empty());
        assert_eq!(progress.done(), 1100);
    }
}
