//! Kinds of objects, as the catalog query names them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Those that the rules about old code know; the others are called as PostgreSQL calls them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Kind {
    Schema,
    Extension,
    Enum,
    Domain,
    Sequence,
    Function,
    /// Tables, views and composite types.
    Relation,
    Column,
    Constraint,
    Index,
    Statistics,
    Trigger,
    Rule,
    Policy,
    Grant,
    /// A type of `pg_identify_object()`, such as `text search dictionary`, or a name of ours for what has none there.
    Other(String),
}

const KNOWN: [(&str, Kind); 15] = [
    ("schema", Kind::Schema),
    ("extension", Kind::Extension),
    ("enum", Kind::Enum),
    ("domain", Kind::Domain),
    ("sequence", Kind::Sequence),
    ("function", Kind::Function),
    ("relation", Kind::Relation),
    ("column", Kind::Column),
    ("constraint", Kind::Constraint),
    ("index", Kind::Index),
    ("statistics", Kind::Statistics),
    ("trigger", Kind::Trigger),
    ("rule", Kind::Rule),
    ("policy", Kind::Policy),
    ("grant", Kind::Grant),
];

/// What is the server's or an extension's, or changes with the data: no dump of the database brings it back.
const LOCAL: [&str; 8] = [
    "comments",
    "extension label",
    "extension policy",
    "large objects",
    "parameter ACL",
    "role",
    "role setting",
    "tablespace",
];

impl Kind {
    /// Whether it is compared in one database on one server only.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Kind::Other(name) if LOCAL.contains(&name.as_str()))
    }
}

impl From<String> for Kind {
    fn from(text: String) -> Self {
        let known = KNOWN.into_iter().find(|(name, _)| *name == text);
        known.map_or(Kind::Other(text), |(_, kind)| kind)
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.to_string()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = KNOWN.iter().find(|(_, kind)| kind == self).map(|(name, _)| *name);
        match (self, known) {
            (Kind::Other(name), _) => f.write_str(name),
            (_, name) => f.write_str(name.unwrap_or_default()),
        }
    }
}
