//! A table of the database, as it was before we touched it.

use postgres::Row;
use serde_json::{Map, Value, json};
use tg_core::Error;
use tg_core::database::Client;
use tg_core::database::ident;

use crate::server::Server;
use crate::text;

/// Bytes of a page; another size is a matter of how PostgreSQL was built, and nobody does.
pub(crate) const PAGE: i64 = 8192;

/// Something to maintain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The parent of partitions: it has statistics, but no rows of its own.
    pub(crate) parent: bool,
    /// Live rows, by the statistics.
    pub(crate) live: i64,
    /// Dead rows, by the statistics.
    pub(crate) dead: i64,
    /// Rows that were changed since it was analysed.
    pub(crate) changed: i64,
    /// Bytes of its rows and of their TOAST, of now where it was asked for and somebody does not hold it, else by the catalog.
    pub(crate) size: i64,
    /// Pages of its own, by the catalog.
    pub(crate) pages: i64,
    /// Pages that a vacuum must read, by the catalog.
    pub(crate) unseen_pages: i64,
    /// Pages of its indexes, by the catalog.
    pub(crate) index_pages: i64,
    /// Transactions since it was frozen, or its TOAST.
    pub(crate) freeze_age: i64,
    /// When it was last vacuumed, in seconds since 1970.
    pub(crate) vacuumed: Option<f64>,
    /// When it was last vacuumed by a statement, in seconds since 1970.
    pub(crate) by_statement: Option<f64>,
    /// When it was last analysed, in seconds since 1970.
    pub(crate) analyzed: Option<f64>,
}

impl Table {
    /// Everything there is to maintain; `exact`: with the sizes of now.
    pub(crate) fn list(client: &mut Client, server: Server, exact: bool) -> Result<Vec<Self>, Error> {
        let rows = client.query(
            concat!(include_str!("sql/closed.sql"), include_str!("sql/tables.sql")),
            &[&server.knows_only(), &exact],
        )?;
        Ok(rows.iter().map(Self::read).collect::<Result<_, _>>()?)
    }

    fn read(row: &Row) -> Result<Self, tg_core::database::QueryError> {
        Ok(Table {
            oid: row.try_get("oid")?,
            schema: row.try_get("schema")?,
            name: row.try_get("name")?,
            parent: row.try_get("parent")?,
            live: row.try_get("live")?,
            dead: row.try_get("dead")?,
            changed: row.try_get("changed")?,
            size: row.try_get("size")?,
            pages: row.try_get("pages")?,
            unseen_pages: row.try_get("unseen_pages")?,
            index_pages: row.try_get("index_pages")?,
            freeze_age: row.try_get("freeze_age")?,
            vacuumed: row.try_get("vacuumed")?,
            by_statement: row.try_get("by_statement")?,
            analyzed: row.try_get("analyzed")?,
        })
    }

    /// Dead rows of all rows.
    pub(crate) fn dead_ratio(&self) -> f64 {
        ratio(self.dead, self.live + self.dead)
    }

    /// Bytes with its indexes, about.
    pub(crate) fn bytes(&self) -> i64 {
        self.size + self.index_pages * PAGE
    }

    /// For people.
    pub(crate) fn label(&self) -> String {
        text::label(&self.schema, &self.name)
    }

    /// For SQL.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }

    /// The names, for a line of output.
    pub(crate) fn names(&self) -> Map<String, Value> {
        let mut names = Map::new();
        names.insert("schema".into(), json!(self.schema));
        names.insert("table".into(), json!(self.name));
        names
    }
}

/// A part of a whole; nothing of nothing is 0.
#[expect(clippy::cast_precision_loss, reason = "a ratio for people and thresholds")]
pub(crate) fn ratio(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { part as f64 / whole as f64 }
}
