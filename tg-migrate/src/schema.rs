//! The catalog as lines, and one hash of them.

use std::collections::BTreeSet;

use postgres::Client;
use sha2::{Digest, Sha256};

use crate::error::MigrateError;

const QUERY: &str = include_str!("sql/schema.sql");

/// Every object of a database with its definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    objects: BTreeSet<(String, String, String)>,
}

impl Schema {
    pub(crate) fn read(client: &mut Client) -> Result<Self, MigrateError> {
        let rows = client.query(QUERY, &[])?;
        let text = |row: &postgres::Row, i| row.get::<_, Option<String>>(i).unwrap_or_default();
        Ok(Schema { objects: rows.iter().map(|row| (text(row, 0), text(row, 1), text(row, 2))).collect() })
    }

    /// SHA-256 of the lines in their order.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for (kind, name, definition) in &self.objects {
            // Lengths keep two different sets of lines from ever reading the same.
            hasher.update(format!(
                "{}:{kind}{}:{name}{}:{definition}",
                kind.len(),
                name.len(),
                definition.len()
            ));
        }
        tg_core::hex(&hasher.finalize())
    }

    /// What another state has that this one has not, and the other way round.
    pub(crate) fn changes(&self, after: &Schema) -> Vec<(&'static str, String, String)> {
        let added = after.objects.difference(&self.objects).map(|o| ("added", o));
        let removed = self.objects.difference(&after.objects).map(|o| ("removed", o));
        let mut changes: Vec<_> =
            added.chain(removed).map(|(how, (kind, name, _))| (how, kind.clone(), name.clone())).collect();
        changes.sort_by(|a, b| (&a.1, &a.2, a.0).cmp(&(&b.1, &b.2, b.0)));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(objects: &[(&str, &str, &str)]) -> Schema {
        let own = |(a, b, c): &(&str, &str, &str)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned());
        Schema { objects: objects.iter().map(own).collect() }
    }

    #[test]
    fn a_changed_definition_changes_the_hash_and_is_named() {
        let before = schema(&[("column", "t.a", "integer"), ("relation", "t", "r")]);
        let after = schema(&[("column", "t.a", "bigint"), ("relation", "t", "r")]);
        assert_ne!(before.hash(), after.hash());
        assert_eq!(before.changes(&after).len(), 2, "the old form is removed, the new one added");
        assert!(before.changes(&before).is_empty());
    }

    #[test]
    fn moving_a_character_between_fields_changes_the_hash() {
        assert_ne!(schema(&[("a", "bc", "d")]).hash(), schema(&[("ab", "c", "d")]).hash());
    }
}
