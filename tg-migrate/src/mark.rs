//! A point in a database's life: its catalog, its transaction counter, its counts of rows written.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::Client;
use serde_json::{Value, json};
use tg_core::deadline::Deadline;

use crate::error::MigrateError;
use crate::schema::Schema;

const WRITTEN: &str = include_str!("sql/written.sql");
/// The next transaction identifier, in 64 bits: it moves only when somebody writes.
const NEXT_XID: &str = "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint";
const SESSIONS: &str =
    "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE application_name = $1";
/// How long to wait for the migrator's sessions to end: a session reports what it wrote when it ends.
const SETTLE: Duration = Duration::from_secs(5);

/// What is compared before and after a migration.
pub(crate) struct Mark {
    pub schema: Schema,
    /// Next transaction identifier.
    pub xid: i64,
    written: BTreeMap<(String, String), [i64; 3]>,
}

/// Rows that one table received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub schema: String,
    pub table: String,
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
}

impl Mark {
    pub(crate) fn take(client: &mut Client) -> Result<Self, MigrateError> {
        let written = client.query(WRITTEN, &[])?;
        let counts =
            |row: &postgres::Row| [2, 3, 4].map(|i| row.get::<_, Option<i64>>(i).unwrap_or_default());
        Ok(Mark {
            schema: Schema::read(client)?,
            xid: next_xid(client)?,
            written: written.iter().map(|row| ((row.get(0), row.get(1)), counts(row))).collect(),
        })
    }

    /// The rows written between two marks, by table. A table that was made in between counts from 0.
    pub(crate) fn rows_until(&self, after: &Mark) -> Vec<Written> {
        let zero = [0; 3];
        let row = |(name, now): (&(String, String), &[i64; 3])| {
            let then = self.written.get(name).unwrap_or(&zero);
            // Counters go back to 0 when somebody resets the statistics: then what is there is new.
            let grown = |i: usize| if now[i] >= then[i] { now[i] - then[i] } else { now[i] };
            Written {
                schema: name.0.clone(),
                table: name.1.clone(),
                inserted: grown(0),
                updated: grown(1),
                deleted: grown(2),
            }
        };
        let rows = after.written.iter().map(row);
        rows.filter(|w| w.inserted + w.updated + w.deleted > 0).collect()
    }
}

impl Written {
    pub(crate) fn data(&self) -> Value {
        json!({"schema": self.schema, "table": self.table, "inserted": self.inserted, "updated": self.updated, "deleted": self.deleted})
    }
}

pub(crate) fn next_xid(client: &mut Client) -> Result<i64, MigrateError> {
    Ok(client.query_one(NEXT_XID, &[])?.get(0))
}

/// Waits until the migrator's sessions are gone, so that their counts are in the statistics.
pub(crate) fn settle(client: &mut Client, application: &str) -> Result<(), MigrateError> {
    let deadline = Deadline::after(Some(SETTLE));
    while client.query_one(SESSIONS, &[&application])?.get::<_, i64>(0) > 0 && !deadline.passed() {
        deadline.sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_table_and_a_reset_counter_is_no_negative_number() {
        let mark = |counts: [i64; 3]| Mark {
            schema: Schema::default(),
            xid: 1,
            written: BTreeMap::from([(("public".into(), "t".into()), counts)]),
        };
        let rows = mark([5, 5, 5]).rows_until(&mark([7, 5, 2]));
        assert_eq!((rows[0].inserted, rows[0].updated, rows[0].deleted), (2, 0, 2));
        assert!(mark([5, 5, 5]).rows_until(&mark([5, 5, 5])).is_empty());
    }
}
