//! A table of the database, as it was before we touched it.

use postgres::Client;
use serde_json::{Map, Value, json};
use tg_core::Error;
use tg_core::database::ident;

use crate::database::Server;
use crate::text;

/// Something to maintain.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The parent of partitions: it has statistics, but no rows of its own.
    pub(crate) parent: bool,
    /// Dead tuples, by the statistics.
    pub(crate) dead: i64,
    /// Bytes with indexes and TOAST; `None` while somebody holds it exclusively.
    pub(crate) size: Option<i64>,
}

impl Table {
    /// Everything to maintain, the most dead tuples first and partitioned parents last.
    pub(crate) fn list(client: &mut Client, server: Server) -> Result<Vec<Self>, Error> {
        let rows = client.query(include_str!("sql/tables.sql"), &[&server.knows_only()])?;
        let table = |row: &postgres::Row| {
            Ok(Table {
                oid: row.try_get("oid")?,
                schema: row.try_get("schema")?,
                name: row.try_get("name")?,
                parent: row.try_get("parent")?,
                dead: row.try_get("dead")?,
                size: row.try_get("size")?,
            })
        };
        rows.iter().map(table).collect()
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
