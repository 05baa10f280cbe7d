//! What the server counts of a table, at one moment.

use std::collections::HashMap;

use postgres::{Client, Row};

/// A table's statistics and its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    /// How often it was vacuumed and analysed.
    pub(crate) done: i64,
    /// Dead rows.
    pub(crate) dead: i64,
    /// Bytes with indexes and TOAST; `None` while somebody holds it exclusively.
    pub(crate) size: Option<i64>,
}

impl Count {
    /// What is counted of tables, by oid; a look that fails only makes us know less.
    pub(crate) fn all(client: &mut Client, oids: &[u32]) -> HashMap<u32, Self> {
        let query = concat!(include_str!("sql/closed.sql"), include_str!("sql/statistics.sql"));
        let rows = client.query(query, &[&oids]).unwrap_or_default();
        rows.iter().filter_map(|row| Self::read(row).ok()).collect()
    }

    fn read(row: &Row) -> Result<(u32, Self), postgres::Error> {
        let count =
            Count { done: row.try_get("done")?, dead: row.try_get("dead")?, size: row.try_get("size")? };
        Ok((row.try_get("oid")?, count))
    }
}
