//! Rules for what belongs to no table: types, sequences, functions, extensions, schemas.

use serde_json::Value;

use crate::catalog::{Attributes, Kind};
use crate::compat::{Case, Use, Verdict, types};

pub(super) fn changed(case: &Case, attribute: &str, was: &Attributes, is: &Attributes) -> Verdict {
    let (before, after) = (&was[attribute], &is[attribute]);
    match (&case.key.object, attribute) {
        (Kind::Enum, "labels") => labels(before, after),
        (Kind::Domain, "type") => types::changed(
            case.key.place(),
            before.as_str().unwrap_or_default(),
            after.as_str().unwrap_or_default(),
        ),
        (Kind::Domain, "not_null") if *after == true => {
            Verdict::breaking(Use::Unknown, "old code may write null to columns of it")
        }
        (Kind::Domain, "constraints") if adds(before, after) => {
            Verdict::breaking(Use::Unknown, "what old code writes to columns of it may be refused")
        }
        (Kind::Sequence, "type" | "maximum" | "minimum" | "increment" | "cycle") => {
            Verdict::risky("it gives other numbers than before")
        }
        (Kind::Function, "result" | "arguments" | "is") => {
            Verdict::breaking(Use::Unknown, "old code that calls it gets something else")
        }
        (Kind::Function, "body") => Verdict::risky("it does something else for old code"),
        (Kind::Extension, "version") => Verdict::risky("its functions may do something else"),
        (Kind::Sequence, "seqstart" | "seqcache" | "owned_by") => {
            Verdict::compatible("it gives the same numbers")
        }
        (Kind::Function, "procost" | "prorows") => Verdict::compatible("queries may be planned otherwise"),
        (Kind::Domain, "not_null" | "constraints") => {
            Verdict::compatible("nothing is refused that was taken before")
        }
        (Kind::Extension, "extrelocatable" | "extcondition" | "extconfig") => {
            Verdict::compatible("it concerns dumps alone")
        }
        _ => Verdict::risky("it may do something else for old code"),
    }
}

fn labels(before: &Value, after: &Value) -> Verdict {
    let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (before, after) = (all(before), all(after));
    match before.iter().find(|label| !after.contains(label)) {
        Some(gone) => {
            Verdict::breaking(Use::Unknown, format!("old code that writes or compares with {gone} fails"))
        }
        None => Verdict::risky("old code may read a label that it does not know"),
    }
}

/// Whether a constraint is there that was not, or was another.
fn adds(before: &Value, after: &Value) -> bool {
    let after = after.as_object().into_iter().flatten();
    after.into_iter().any(|(name, definition)| before.get(name) != Some(definition))
}
