//! What a database holds: tables with their rows, sequences, extensions, large objects.

use serde::{Deserialize, Serialize};

use crate::sql::ident;

/// A table and what is known of its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Schema.
    pub schema: String,
    /// Name in it.
    pub name: String,
    /// Nothing where they were not counted.
    pub rows: Option<i64>,
    /// Sum over all rows of `hashtextextended(row::text, 0)`, whatever their order; nothing where it
    /// was not asked for, or where a part of the row is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The same over the columns that a dump carries, where a part of the row is computed from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_hash: Option<String>,
    /// What no dump carries, since it is computed when the rows come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Computed>,
    /// Whether it came with an extension, which names its rows as the user's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extension: bool,
    /// Only meaningful in the database that was read; so are those below.
    #[serde(skip)]
    pub oid: u32,
    /// Which rows of an extension's table belong to the user.
    #[serde(skip)]
    pub condition: String,
    /// The transaction that wrote its row in the catalog.
    #[serde(skip)]
    pub written: String,
    /// Whether a crash empties it.
    #[serde(skip)]
    pub unlogged: bool,
    /// With its TOAST, without indexes.
    #[serde(skip)]
    pub bytes: i64,
    /// The columns that a dump carries, where there are others.
    #[serde(skip)]
    pub carried: Vec<String>,
    /// Whether the whole row is hashed although a part of it is computed, as older backups have it.
    #[serde(skip)]
    pub whole: bool,
}

/// Generated columns of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Computed {
    /// With what is known of them.
    pub columns: Vec<Column>,
    /// As [`Table::hash`], over these columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// A generated column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name.
    pub name: String,
    /// In how many rows another value was stored than its expression gave when the backup was made; nothing where that was
    /// not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differing: Option<i64>,
}

/// A sequence is in no snapshot: its value is read before the dump and after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// Schema.
    pub schema: String,
    /// Name in it.
    pub name: String,
    /// Nothing where it was never used.
    pub last: Option<i64>,
    /// After the dump, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<i64>,
}

/// An extension of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extension {
    /// Name.
    pub name: String,
    /// Version in this database.
    pub version: String,
}

/// Large objects, which belong to no table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LargeObjects {
    /// How many.
    pub count: i64,
    /// As [`Table::hash`], over numbers and contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// Everything that is compared after a restore.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// With their rows.
    pub tables: Vec<Table>,
    /// With their values.
    pub sequences: Vec<Sequence>,
    /// With their versions.
    pub extensions: Vec<Extension>,
    /// Together.
    pub large_objects: LargeObjects,
    /// Materialized views that are filled: computed, and kept as tables are.
    pub views: Vec<Table>,
}

impl Table {
    /// `schema.table` for SQL.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }

    /// Whether the content of its rows is known, not their number alone.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        self.hash.is_some() || self.data_hash.is_some()
    }

    /// `schema.table` for people.
    #[must_use]
    pub fn plain(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// Rows of all tables; nothing where one was not counted, or where there can't be as many.
#[must_use]
pub fn rows(tables: &[Table]) -> Option<i64> {
    tables.iter().try_fold(0i64, |sum, table| sum.checked_add(table.rows?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_rows_is_known_only_where_all_were_counted() {
        let table = |rows| Table { rows, ..Table::default() };
        assert_eq!(rows(&[table(Some(1)), table(Some(2))]), Some(3));
        assert_eq!(rows(&[table(Some(1)), table(None)]), None);
    }
}
