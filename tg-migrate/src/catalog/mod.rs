//! A database's catalog as a set of objects with one hash: what two states of a schema are compared by.

mod file;
mod kind;
mod read;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tg_core::database::Client;

use crate::error::MigrateError;
pub(crate) use file::read as read_file;
pub(crate) use kind::Kind;

/// The attribute that holds those which a dump does not bring back as they were, such as a tablespace: they say something of one database on
/// one server only.
pub(crate) const HERE: &str = "here";

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
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    objects: BTreeMap<Key, Attributes>,
    /// The database and the server that it is of, where that is known.
    origin: Option<String>,
}

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
            // These are named in full; there is only one database.
            (Kind::Other(kind), None) if name.is_empty() => write!(f, "{kind}"),
            (Kind::Schema | Kind::Extension | Kind::Other(_), _) => write!(f, "{object} {name}"),
            (Kind::Column, Some(relation)) => write!(f, "column {schema}.{relation}.{name}"),
            (_, Some(relation)) => write!(f, "{object} {name} of {schema}.{relation}"),
            (_, None) => write!(f, "{object} {schema}.{name}"),
        }
    }
}

impl Catalog {
    pub(crate) fn read(client: &mut Client) -> Result<Self, MigrateError> {
        read::read(client)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Attributes> {
        self.objects.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Attributes)> {
        self.objects.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Whether both are of one database on one server, so that all that is said of it may be compared.
    pub(crate) fn has_origin_of(&self, other: &Catalog) -> bool {
        self.origin.is_some() && self.origin == other.origin
    }

    /// Whether both say the same, as far as they can be compared.
    pub(crate) fn is_as(&self, other: &Catalog) -> bool {
        if self.has_origin_of(other) { self.objects == other.objects } else { self.hash() == other.hash() }
    }

    /// SHA-256 over what a dump brings back, in the order of the objects, each as a line of JSON: the same in every database that was made
    /// from the same statements.
    pub(crate) fn hash(&self) -> String {
        let everywhere = self.objects.iter().filter(|(key, _)| !key.object.is_local());
        digest(everywhere.map(|(key, attributes)| Line { here: None, ..Line::of(key, attributes) }))
    }

    /// The same over everything: for one database on one server.
    pub(crate) fn hash_here(&self) -> String {
        digest(self.objects.iter().map(|(key, attributes)| Line::of(key, attributes)))
    }

    /// The keys that are in either, in their order, with what each says of them.
    pub(crate) fn pairs<'a>(
        &'a self,
        other: &'a Catalog,
    ) -> impl Iterator<Item = (&'a Key, Option<&'a Attributes>, Option<&'a Attributes>)> {
        let added = other.objects.keys().filter(|key| !self.objects.contains_key(key));
        let all: std::collections::BTreeSet<&Key> = self.objects.keys().chain(added).collect();
        all.into_iter().map(|key| (key, self.objects.get(key), other.objects.get(key)))
    }
}

impl FromIterator<(Key, Attributes)> for Catalog {
    fn from_iter<I: IntoIterator<Item = (Key, Attributes)>>(objects: I) -> Self {
        Catalog { objects: objects.into_iter().collect(), origin: None }
    }
}

/// What is hashed of an object. In which order its attributes came says nothing.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    key: &'a Key,
    attributes: BTreeMap<&'a String, &'a Value>,
    here: Option<BTreeMap<&'a String, &'a Value>>,
}

impl<'a> Line<'a> {
    fn of(key: &'a Key, attributes: &'a Attributes) -> Self {
        let all = attributes.as_object().into_iter().flatten().filter(|(name, _)| *name != HERE);
        let here = attributes[HERE].as_object();
        Line { key, attributes: all.collect(), here: here.map(|here| here.iter().collect()) }
    }
}

fn digest<'a>(lines: impl Iterator<Item = Line<'a>>) -> String {
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(serde_json::to_vec(&line).unwrap_or_default());
        hash.update("\n");
    }
    tg_core::hex(&hash.finalize())
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
    fn what_a_dump_does_not_bring_back_is_compared_in_one_database_only() {
        let of = |origin: &str, tablespace: &str| {
            let (key, _) = column("a", "x");
            let attributes = json!({"type": "x", HERE: {"reltablespace": tablespace}});
            let role = Key { object: Kind::from("role".to_owned()), relation: None, ..key.clone() };
            let all: Catalog =
                [(key, attributes), (role, json!({HERE: {"n": tablespace}}))].into_iter().collect();
            Catalog { origin: Some(origin.into()), ..all }
        };
        let before = of("s/1", "slow");
        assert_eq!(before.hash(), of("s/1", "fast").hash());
        assert_eq!(before.hash(), [column("a", "x")].into_iter().collect::<Catalog>().hash());
        assert_ne!(before.hash_here(), of("s/1", "fast").hash_here());
        assert!(before.is_as(&of("s/1", "slow")) && before.is_as(&of("s/2", "fast")));
        assert!(!before.is_as(&of("s/1", "fast")));
    }

    #[test]
    fn the_order_in_which_attributes_came_is_no_difference() {
        let of = |attributes: Value| [(column("a", "x").0, attributes)].into_iter().collect::<Catalog>();
        let (one, other) = (
            json!({"a": 1, "here": {"b": 2, "c": 3}, "d": 4}),
            json!({"d": 4, "a": 1, "here": {"c": 3, "b": 2}}),
        );
        assert_eq!(of(one.clone()).hash(), of(other.clone()).hash());
        assert_eq!(of(one).hash_here(), of(other).hash_here());
    }

    #[test]
    fn objects_are_named_as_people_do() {
        assert_eq!(column("a", "x").0.to_string(), "column s.t.a");
        let index = Key { object: Kind::Index, name: "i".into(), ..column("a", "x").0 };
        assert_eq!(index.to_string(), "index i of s.t");
        assert_eq!(index.parent().unwrap().to_string(), "relation s.t");
        let other = |kind: &str, name: &str| Key {
            object: Kind::from(kind.to_owned()),
            schema: String::new(),
            relation: None,
            name: name.into(),
        };
        assert_eq!(other("cast", "(s.a AS text)").to_string(), "cast (s.a AS text)");
        assert_eq!(other("database", "").to_string(), "database");
    }
}
