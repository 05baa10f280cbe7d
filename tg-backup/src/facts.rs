//! What a database holds, counted exactly.

use postgres::{Client, GenericClient};
use serde::{Deserialize, Serialize};
use tg_core::database::ident;

use crate::error::Error;

const TABLES: &str = include_str!("sql/tables.sql");
const SEQUENCES: &str = "SELECT schemaname::text, sequencename::text, last_value FROM pg_catalog.pg_sequences \
    ORDER BY schemaname, sequencename";
const EXTENSIONS: &str = "SELECT extname::text, extversion FROM pg_catalog.pg_extension ORDER BY extname";
const LARGE_OBJECTS: &str = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata";
/// A role's own limits must not end a count; a policy must not hide rows from it, as in pg_dump.
pub(crate) const UNLIMITED: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
    SET row_security = off";

/// A table and its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub schema: String,
    pub name: String,
    pub rows: i64,
    /// Only meaningful in the database that was counted.
    #[serde(skip)]
    pub oid: u32,
    /// Which rows of an extension's table belong to the user.
    #[serde(skip)]
    pub condition: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sequence {
    pub schema: String,
    pub name: String,
    /// Nothing where it was never used.
    pub last: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extension {
    pub name: String,
    pub version: String,
}

/// Everything that is counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    pub tables: Vec<Table>,
    pub sequences: Vec<Sequence>,
    pub extensions: Vec<Extension>,
    pub large_objects: i64,
}

impl Table {
    /// `schema.table` for SQL.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }

    /// `schema.table` for people.
    pub(crate) fn plain(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// The tables of a database, not counted yet.
pub(crate) fn tables(client: &mut impl GenericClient) -> Result<Vec<Table>, Error> {
    let row = |row: &postgres::Row| Table {
        oid: row.get(0),
        schema: row.get(1),
        name: row.get(2),
        condition: row.get(3),
        rows: 0,
    };
    Ok(client.query(TABLES, &[])?.iter().map(row).collect())
}

/// Keeps anybody from emptying or changing a table before it has been counted and dumped. A count
/// alone would keep its table only from then on.
pub(crate) fn hold(client: &mut impl GenericClient, tables: &[Table]) -> Result<(), Error> {
    if tables.is_empty() {
        return Ok(());
    }
    let names = tables.iter().map(|t| format!("ONLY {}", t.quoted())).collect::<Vec<_>>().join(", ");
    Ok(client.batch_execute(&format!("LOCK TABLE {names} IN ACCESS SHARE MODE"))?)
}

/// Counts every table, in whatever snapshot the connection has.
pub(crate) fn read(client: &mut impl GenericClient, mut tables: Vec<Table>) -> Result<Facts, Error> {
    for table in &mut tables {
        // The condition is the extension's own text, put here as pg_dump puts it into its COPY.
        let sql = format!("SELECT pg_catalog.count(*) FROM ONLY {} {}", table.quoted(), table.condition);
        table.rows = client.query_one(&sql, &[])?.get(0);
    }
    let sequences = client.query(SEQUENCES, &[])?;
    let extensions = client.query(EXTENSIONS, &[])?;
    Ok(Facts {
        tables,
        sequences: sequences
            .iter()
            .map(|r| Sequence { schema: r.get(0), name: r.get(1), last: r.get(2) })
            .collect(),
        extensions: extensions.iter().map(|r| Extension { name: r.get(0), version: r.get(1) }).collect(),
        large_objects: client.query_one(LARGE_OBJECTS, &[])?.get(0),
    })
}

/// Counts a database that nobody else writes to.
pub(crate) fn of(client: &mut Client) -> Result<Facts, Error> {
    client.batch_execute(UNLIMITED)?;
    let tables = tables(client)?;
    read(client, tables)
}
