//! Reads what a database holds: tables, sequences, extensions, roles.

use std::collections::BTreeMap;

pub(crate) use tg_core::backup::facts::{
    Column, Computed, Extension, Facts, LargeObjects, Sequence, Table, rows,
};
use tg_core::database::Client;

use crate::error::Error;

const TABLES: &str = include_str!("sql/tables.sql");
const VIEWS: &str = "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class AS c \
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
    WHERE c.relkind = 'm' AND c.relispopulated AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d \
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e') \
    ORDER BY n.nspname, c.relname";
const SIZES: &str =
    "SELECT t.oid, pg_catalog.pg_table_size(t.oid) FROM pg_catalog.unnest($1::oid[]) AS t(oid)";
const SEQUENCES: &str = "SELECT schemaname::text, sequencename::text, last_value FROM pg_catalog.pg_sequences \
    ORDER BY schemaname, sequencename";
const EXTENSIONS: &str = "SELECT extname::text, extversion FROM pg_catalog.pg_extension ORDER BY extname";
const ROLES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname";

/// The tables of a database, not counted yet.
pub(crate) fn tables(client: &mut Client) -> Result<Vec<Table>, Error> {
    let row = |row: &postgres::Row| {
        let computed: Option<Vec<String>> = row.get(8);
        Table {
            oid: row.get(0),
            schema: row.get(1),
            name: row.get(2),
            condition: row.get(3),
            written: row.get(4),
            unlogged: row.get(5),
            extension: row.get(6),
            carried: if computed.is_some() { row.get::<_, Option<_>>(7).unwrap_or_default() } else { vec![] },
            computed: computed.map(named),
            ..Table::default()
        }
    };
    Ok(client.query(TABLES, &[])?.iter().map(row).collect())
}

fn named(columns: Vec<String>) -> Computed {
    let columns = columns.into_iter().map(|name| Column { name, differing: None }).collect();
    Computed { columns, hash: None }
}

/// Materialized views that are filled, not read yet.
pub(crate) fn views(client: &mut Client) -> Result<Vec<Table>, Error> {
    let row = |row: &postgres::Row| Table { schema: row.get(0), name: row.get(1), ..Table::default() };
    Ok(client.query(VIEWS, &[])?.iter().map(row).collect())
}

/// Fills in the sizes. It waits for whoever has locked a table.
pub(crate) fn sizes(client: &mut Client, tables: &mut [Table]) -> Result<(), Error> {
    let oids: Vec<u32> = tables.iter().map(|t| t.oid).collect();
    let rows = client.query(SIZES, &[&oids])?;
    // A table that was dropped meanwhile has none.
    let sizes: BTreeMap<u32, i64> =
        rows.iter().map(|r| (r.get(0), r.get::<_, Option<i64>>(1).unwrap_or(0))).collect();
    for table in tables {
        table.bytes = sizes.get(&table.oid).copied().unwrap_or(0);
    }
    Ok(())
}

pub(crate) fn sequences(client: &mut Client) -> Result<Vec<Sequence>, Error> {
    let row = |r: &postgres::Row| Sequence { schema: r.get(0), name: r.get(1), last: r.get(2), later: None };
    Ok(client.query(SEQUENCES, &[])?.iter().map(row).collect())
}

/// Adds what the sequences say now to what they said before.
pub(crate) fn sequences_later(earlier: &mut [Sequence], now: &[Sequence]) {
    let now: BTreeMap<_, _> = now.iter().map(|s| ((&s.schema, &s.name), s.last)).collect();
    for sequence in earlier {
        let last = now.get(&(&sequence.schema, &sequence.name)).copied().flatten();
        sequence.later = last.filter(|_| last != sequence.last);
    }
}

pub(crate) fn extensions(client: &mut Client) -> Result<Vec<Extension>, Error> {
    let row = |r: &postgres::Row| Extension { name: r.get(0), version: r.get(1) };
    Ok(client.query(EXTENSIONS, &[])?.iter().map(row).collect())
}

/// The server's roles, without those that every server has.
pub(crate) fn roles(client: &mut Client) -> Result<Vec<String>, Error> {
    Ok(client.query(ROLES, &[])?.iter().map(|r| r.get(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_that_moved_during_the_dump_is_known_by_both_values() {
        let sequence = |last| Sequence { schema: "s".into(), name: "q".into(), last, later: None };
        let mut moved = [sequence(Some(3))];
        sequences_later(&mut moved, &[sequence(Some(7))]);
        assert_eq!((moved[0].last, moved[0].later), (Some(3), Some(7)));
        let mut still = [sequence(None)];
        sequences_later(&mut still, &[sequence(None)]);
        assert_eq!(still[0].later, None);
    }
}
