//! What a migrator has written down of itself: its history, found by the columns of its table and never by
//! its name, which several share.

mod signature;

use serde::Serialize;
use serde_json::{Value, json};

use crate::Error;
use crate::database::{Client, ident};
pub use signature::Signature;

const TABLES: &str = include_str!("../sql/migrators.sql");

/// How a migration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Done.
    Applied,
    /// Begun and not ended, or ended badly.
    Failed,
    /// A lock that no process holds any more keeps every migrator out.
    Stuck,
    /// Taken back, or never meant to run.
    Skipped,
}

/// A table in which a migrator keeps its history or its lock.
pub struct Table {
    /// Whose it is.
    pub signature: &'static Signature,
    /// Of the table.
    pub schema: String,
    /// Of the table.
    pub name: String,
}

/// One row of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As the migrator calls it.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// When, as the migrator has written it down.
    pub at: Option<String>,
}

impl State {
    fn of(word: &str) -> Self {
        match word {
            "applied" => State::Applied,
            "stuck" => State::Stuck,
            "skipped" => State::Skipped,
            _ => State::Failed,
        }
    }
}

/// The tables of all migrators that are known, in the order of their names.
pub fn tables(client: &mut Client) -> Result<Vec<Table>, Error> {
    let table = |row: &postgres::Row| {
        let (columns, types): (Vec<String>, Vec<String>) = (row.get(2), row.get(3));
        let signature = signature::of(&columns, &types)?;
        Some(Table { signature, schema: row.get(0), name: row.get(1) })
    };
    let mut all: Vec<Table> = client.query(TABLES, &[])?.iter().filter_map(table).collect();
    all.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    Ok(all)
}

impl Table {
    /// `schema.table`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Its rows, oldest first. Of a lock's table only one that is held is a row.
    pub fn entries(&self, client: &mut Client) -> Result<Vec<Entry>, Error> {
        let table = format!("{}.{}", ident(&self.schema), ident(&self.name));
        let sql = self.signature.rows.replace("{table}", &table);
        let entry = |row: &postgres::Row| Entry {
            name: row.get(0),
            state: State::of(row.get::<_, &str>(1)),
            at: row.get(2),
        };
        Ok(client.query(&sql, &[])?.iter().map(entry).collect())
    }

    /// One of its rows as a record's data.
    #[must_use]
    pub fn data(&self, entry: &Entry) -> Value {
        json!({
            "kind": "migration", "migrator": self.signature.tool, "schema": self.schema, "table": self.name,
            "name": entry.name, "state": entry.state, "at": entry.at,
        })
    }
}
