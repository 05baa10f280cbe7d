//! A database's catalog as a set of objects with one hash: what two states of a schema are compared by.

mod file;
mod kind;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tg_core::database::Client;

use crate::error::MigrateError;
pub(crate) use file::read as read_file;
pub(crate) use kind::Kind;

const QUERY: &str = include_str!("../sql/catalog.sql");

/// What an object is called: unique in a database, and the same in another one made from the same statements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Key {
    pub object: Kind,
    pub schema: String,
    /// The relation that it belongs to; nothing where it stands alone.
    pub relation: Option<String>,
    pub name: String,
}

/// What is said of an object, by the names of the catalog query.
pub(crate) type Attributes = Value;

/// Every object of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalog(BTreeMap<Key, Attributes>);

impl Key {
    /// The relation that a column, an index or the like belongs to.
    pub(crate) fn parent(&self) -> Option<Key> {
        let name = self.relation.clone()?;
        Some(Key { object: Kind::Relation, schema: self.schema.clone(), relation: None, name })
    }

    /// `schema.relation` of what belongs to one, or is one.
    pub(crate) fn place(&self) -> String {
        format!("{}.{}", self.schema, self.relation.as_ref().unwrap_or(&self.name))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key { object, schema, relation, name } = self;
        match (object, relation) {
            (Kind::Schema | Kind::Extension, _) => write!(f, "{object} {name}"),
            (Kind::Column, Some(relation)) => write!(f, "column {schema}.{relation}.{name}"),
            (_, Some(relation)) => write!(f, "{object} {name} of {schema}.{relation}"),
            (_, None) => write!(f, "{object} {schema}.{name}"),
        }
    }
}

impl Catalog {
    pub(crate) fn read(client: &mut Client) -> Result<Self, MigrateError> {
        let rows = client.query(QUERY, &[])?;
        let object = |row: &postgres::Row| {
            let text: String = row.get(0);
            let object = Kind::of(&text).ok_or(MigrateError::Catalog(text))?;
            let key = Key { object, schema: row.get(1), relation: row.get(2), name: row.get(3) };
            let attributes = serde_json::from_str(row.get(4)).unwrap_or_default();
            Ok((key, attributes))
        };
        rows.iter().map(object).collect::<Result<_, _>>().map(Catalog)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Attributes> {
        self.0.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Attributes)> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// SHA-256 over the objects in their order, each as a line of JSON.
    pub(crate) fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (key, attributes) in &self.0 {
            hash.update(data(key, attributes).to_string());
            hash.update("\n");
        }
        tg_core::hex(&hash.finalize())
    }

    /// The keys that are in either, in their order, with what each says of them.
    pub(crate) fn pairs<'a>(
        &'a self,
        other: &'a Catalog,
    ) -> impl Iterator<Item = (&'a Key, Option<&'a Attributes>, Option<&'a Attributes>)> {
        let added = other.0.keys().filter(|key| !self.0.contains_key(key));
        let all: std::collections::BTreeSet<&Key> = self.0.keys().chain(added).collect();
        all.into_iter().map(|key| (key, self.0.get(key), other.0.get(key)))
    }
}

impl FromIterator<(Key, Attributes)> for Catalog {
    fn from_iter<I: IntoIterator<Item = (Key, Attributes)>>(objects: I) -> Self {
        Catalog(objects.into_iter().collect())
    }
}

/// An object as a record's data.
pub(crate) fn data(key: &Key, attributes: &Attributes) -> Value {
    let Key { object, schema, relation, name } = key;
    json!({"kind": "object", "object": object, "schema": schema, "relation": relation, "name": name, "attributes": attributes})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &str) -> (Key, Attributes) {
        let key =
            Key { object: Kind::Column, schema: "s".into(), relation: Some("t".into()), name: name.into() };
        (key, json!({"type": kind}))
    }

    #[test]
    fn a_changed_attribute_and_a_moved_character_change_the_hash() {
        let of = |columns: &[(Key, Attributes)]| columns.iter().cloned().collect::<Catalog>().hash();
        let base = of(&[column("a", "integer"), column("bc", "text")]);
        assert_eq!(base, of(&[column("bc", "text"), column("a", "integer")]), "order is no difference");
        assert_ne!(base, of(&[column("a", "bigint"), column("bc", "text")]));
        assert_ne!(base, of(&[column("ab", "integer"), column("c", "text")]));
    }

    #[test]
    fn objects_are_named_as_people_do() {
        assert_eq!(column("a", "x").0.to_string(), "column s.t.a");
        let index = Key { object: Kind::Index, name: "i".into(), ..column("a", "x").0 };
        assert_eq!(index.to_string(), "index i of s.t");
        assert_eq!(index.parent().unwrap().to_string(), "relation s.t");
    }
}
