//! Kinds of objects, as the catalog query names them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
}

impl Kind {
    pub(crate) fn of(text: &str) -> Option<Self> {
        serde_json::from_value(Value::String(text.to_owned())).ok()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
