//! What the server counts of a table, at one moment.

use std::collections::HashMap;

use postgres::Row;

use crate::database::Connection;

/// A table's statistics and its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    /// How often it was vacuumed and analysed.
    pub(crate) done: i64,
    /// Dead rows.
    pub(crate) dead: i64,
    /// Bytes of its rows and of their TOAST; `None` while somebody holds it exclusively.
    pub(crate) size: Option<i64>,
    /// A vacuum has something to do in its TOAST.
    pub(crate) toast: bool,
}

impl Count {
    /// What is counted of tables, by oid; a look that fails only makes us know less. `young`: an age at which nothing has to be
    /// frozen yet.
    pub(crate) fn all(connection: &mut Connection, oids: &[u32], young: i32) -> HashMap<u32, Self> {
        let query = concat!(include_str!("sql/closed.sql"), include_str!("sql/statistics.sql"));
        let rows = connection.ask(query, &[&oids, &young]).unwrap_or_default();
        rows.iter().filter_map(|row| Self::read(row).ok()).collect()
    }

    fn read(row: &Row) -> Result<(u32, Self), tg_core::database::QueryError> {
        let count = Count {
            done: row.try_get("done")?,
            dead: row.try_get("dead")?,
            size: row.try_get("size")?,
            toast: row.try_get("toast")?,
        };
        Ok((row.try_get("oid")?, count))
    }
}
