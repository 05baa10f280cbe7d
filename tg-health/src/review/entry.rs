//! One thing that a review tells.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Whether a person has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// Somebody must look at it.
    Attention,
}

/// One line of the answer.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) section: &'static str,
    /// A stable name.
    pub(super) code: &'static str,
    pub(super) severity: Severity,
    /// For people.
    pub(super) msg: String,
    pub(super) facts: Value,
}

impl Entry {
    pub(super) fn new(
        section: &'static str,
        code: &'static str,
        severity: Severity,
        msg: String,
        facts: Value,
    ) -> Self {
        Entry { section, code, severity, msg, facts }
    }

    /// Something that could not be looked at, and why.
    pub(super) fn unseen(section: &'static str, why: &str) -> Self {
        let msg = format!("{section} could not be looked at: {why}");
        Self::new(section, "unseen", Severity::Note, msg, json!({"reason": why}))
    }

    /// For a record.
    pub(super) fn data(&self) -> Value {
        let mut data = Map::new();
        data.insert("code".into(), json!(self.code));
        data.insert("section".into(), json!(self.section));
        data.insert("severity".into(), json!(self.severity));
        if let Value::Object(facts) = &self.facts {
            data.extend(facts.clone());
        }
        Value::Object(data)
    }
}

/// A note where the condition holds, else fine.
pub(super) fn note_if(condition: bool) -> Severity {
    if condition { Severity::Note } else { Severity::Fine }
}

/// Attention where the condition holds, else fine.
pub(super) fn attention_if(condition: bool) -> Severity {
    if condition { Severity::Attention } else { Severity::Fine }
}
