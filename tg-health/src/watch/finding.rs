//! What a judge has to say.

use serde_json::{Map, Value, json};

/// Something that is not as it was, or not as it must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// A stable name.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) msg: String,
    /// Whether the release must not stay; otherwise it is only to be known.
    pub(crate) fatal: bool,
    /// The numbers.
    pub(crate) facts: Value,
}

impl Finding {
    pub(crate) fn fatal(code: &'static str, msg: String, facts: Value) -> Self {
        Finding { code, msg, fatal: true, facts }
    }

    pub(crate) fn note(code: &'static str, msg: String, facts: Value) -> Self {
        Finding { code, msg, fatal: false, facts }
    }

    /// For a record.
    pub(crate) fn data(&self) -> Value {
        let mut data = Map::new();
        data.insert("code".into(), json!(self.code));
        data.insert("fatal".into(), json!(self.fatal));
        if let Value::Object(facts) = &self.facts {
            data.extend(facts.clone());
        }
        Value::Object(data)
    }
}

/// Something that could not be judged, for want of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// A stable name.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) msg: String,
}

/// One quantity, before and now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// What is measured, with its unit at its end: `p95_ms`.
    pub(crate) what: &'static str,
    /// Of which target, service or rule.
    pub(crate) of: String,
    pub(crate) before: Option<f64>,
    pub(crate) now: Option<f64>,
}
