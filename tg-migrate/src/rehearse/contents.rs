//! What stands in the tables that a migration writes to, as far as two runs of it must agree.

use std::collections::BTreeMap;

use tg_core::database::Client;
use tg_core::database::ident;

use crate::error::MigrateError;
use crate::mark::Written;

/// The columns of a table whose values do not depend on when or how often something was begun: times, identifiers that were drawn, and
/// what refers to those are left out.
const COLUMNS: &str = include_str!("../sql/comparable.sql");

/// A sum of hashes for each column, and how many rows there are, by place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents(BTreeMap<String, String>);

impl Contents {
    pub(super) fn read(client: &mut Client, tables: &[&Written]) -> Result<Self, MigrateError> {
        let mut all = BTreeMap::new();
        for table in tables {
            let columns: Vec<String> =
                client.query(COLUMNS, &[&table.schema, &table.table])?.iter().map(|row| row.get(0)).collect();
            // A sum does not depend on the order of the rows.
            let sums = columns
                .iter()
                .map(|c| format!(", sum(pg_catalog.hashtextextended({}::text, 0)::numeric)::text", ident(c)));
            let query = format!(
                "SELECT pg_catalog.count(*)::text{} FROM {}.{}",
                sums.collect::<String>(),
                ident(&table.schema),
                ident(&table.table)
            );
            let row = client.query_one(&query, &[])?;
            let place = table.place();
            for (number, column) in columns.iter().enumerate() {
                all.insert(
                    format!("{place}.{column}"),
                    row.get::<_, Option<String>>(number + 1).unwrap_or_default(),
                );
            }
            all.insert(place, row.get(0));
        }
        Ok(Contents(all))
    }

    /// The first place where the other has something else.
    pub(super) fn other_than<'a>(&self, wanted: &'a Contents) -> Option<&'a str> {
        let differs = |(place, value): &(&String, &String)| self.0.get(*place) != Some(*value);
        wanted.0.iter().find(differs).map(|(place, _)| place.as_str())
    }
}
