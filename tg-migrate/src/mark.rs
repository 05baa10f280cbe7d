//! A point in a database's life: its catalog, its transaction counter, its counts of rows written, its
//! migrators' histories.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tg_core::database::Client;
use tg_core::migrators::{self, State};

use crate::catalog::Catalog;
use crate::error::MigrateError;
use crate::outcome::more;

const WRITTEN: &str = include_str!("sql/written.sql");
/// Where each table and index keeps its rows: another place after a rewrite.
const FILES: &str = include_str!("sql/files.sql");
const COUNTS: &str = "SELECT pg_catalog.current_setting('track_counts')::bool";
/// Where each sequence stands.
const SEQUENCES: &str = include_str!("sql/sequences.sql");
/// The next transaction identifier, in 64 bits: it moves only when somebody writes.
const NEXT_XID: &str = "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint";
/// Of the whole server. A standby has none of its own.
const WAL: &str = "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN 0 \
    ELSE (pg_catalog.pg_current_wal_lsn() - '0/0')::bigint END";

/// What is compared before and after a migration.
pub(crate) struct Mark {
    pub catalog: Catalog,
    /// Next transaction identifier.
    pub xid: i64,
    /// Bytes of WAL written in the server's life.
    pub wal_bytes: i64,
    written: BTreeMap<(String, String), [i64; 3]>,
    /// Of what was there already: relation to file.
    files: BTreeMap<u32, (String, u32)>,
    applied: Vec<String>,
    sequences: BTreeMap<(String, String), Option<i64>>,
    /// Whether the server counts rows.
    pub counts: bool,
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
        let files = client.query(FILES, &[])?;
        let sequences = client.query(SEQUENCES, &[])?;
        Ok(Mark {
            catalog: Catalog::read(client)?,
            xid: next_xid(client)?,
            wal_bytes: client.query_one(WAL, &[])?.get(0),
            written: written.iter().map(|row| ((row.get(0), row.get(1)), counts(row))).collect(),
            files: files.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect(),
            applied: applied(client)?,
            counts: client.query_one(COUNTS, &[])?.get(0),
            sequences: sequences.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect(),
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
        rows.filter(|w| w.total() > 0).collect()
    }

    /// Sequences that were there and stand elsewhere since.
    pub(crate) fn moved_since(&self, before: &Mark) -> Vec<String> {
        let moved = |(name, value): (&(String, String), &Option<i64>)| {
            before
                .sequences
                .get(name)
                .is_some_and(|then| then != value)
                .then(|| format!("{}.{}", name.0, name.1))
        };
        self.sequences.iter().filter_map(moved).collect()
    }

    /// What migrators have written down since.
    pub(crate) fn applied_since(&self, before: &Mark) -> Vec<String> {
        more(&before.applied, &self.applied)
    }

    /// Tables and indexes that were there and have been written anew since.
    pub(crate) fn rewritten_since(&self, before: &Mark) -> Vec<String> {
        let rewritten = |(oid, (name, file)): (&u32, &(String, u32))| {
            before.files.get(oid).is_some_and(|(_, then)| then != file).then(|| name.clone())
        };
        self.files.iter().filter_map(rewritten).collect()
    }
}

fn applied(client: &mut Client) -> Result<Vec<String>, MigrateError> {
    let mut all = Vec::new();
    for table in migrators::tables(client)? {
        let entries = table.entries(client)?.into_iter().filter(|entry| entry.state == State::Applied);
        all.extend(entries.map(|entry| entry.name));
    }
    Ok(all)
}

impl Written {
    /// `schema.table`.
    pub(crate) fn place(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    pub(crate) fn total(&self) -> i64 {
        self.inserted + self.updated + self.deleted
    }

    pub(crate) fn data(&self) -> Value {
        json!({"schema": self.schema, "table": self.table, "inserted": self.inserted, "updated": self.updated, "deleted": self.deleted})
    }
}

pub(crate) fn next_xid(client: &mut Client) -> Result<i64, MigrateError> {
    Ok(client.query_one(NEXT_XID, &[])?.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(counts: [i64; 3], file: u32) -> Mark {
        Mark {
            catalog: Catalog::default(),
            xid: 1,
            wal_bytes: 0,
            written: BTreeMap::from([(("public".into(), "t".into()), counts)]),
            files: BTreeMap::from([(7, ("public.t".into(), file))]),
            applied: Vec::new(),
            counts: true,
            sequences: BTreeMap::from([(("public".into(), "q".into()), Some(i64::from(file)))]),
        }
    }

    #[test]
    fn a_sequence_that_stands_elsewhere_has_moved() {
        assert_eq!(mark([0; 3], 2).moved_since(&mark([0; 3], 1)), ["public.q"]);
        assert!(mark([0; 3], 1).moved_since(&mark([0; 3], 1)).is_empty());
    }

    #[test]
    fn rows_are_counted_by_table_and_a_reset_counter_is_no_negative_number() {
        let rows = mark([5, 5, 5], 1).rows_until(&mark([7, 5, 2], 1));
        assert_eq!((rows[0].inserted, rows[0].updated, rows[0].deleted), (2, 0, 2));
        assert!(mark([5, 5, 5], 1).rows_until(&mark([5, 5, 5], 1)).is_empty());
    }

    #[test]
    fn a_table_that_lies_in_another_file_was_rewritten() {
        assert_eq!(mark([0; 3], 2).rewritten_since(&mark([0; 3], 1)), ["public.t"]);
        assert!(mark([0; 3], 1).rewritten_since(&mark([0; 3], 1)).is_empty());
    }
}
