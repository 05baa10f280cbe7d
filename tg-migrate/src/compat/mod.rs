//! Whether programs that were made for one schema can go on with another: each difference with its
//! class and its reason. The rules are about old code on the new schema; they know nothing of what
//! the old code does, which is for its statements to tell.

mod constraint;
mod differing;
mod other;
mod relation;
mod standalone;
mod types;

use serde::Serialize;
use serde_json::{Value, json};

use crate::catalog::{Attributes, Catalog, Key, Kind};
use differing::{differing, flat};

/// How much a difference means to old code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    /// Old code does not notice.
    Compatible,
    /// Old code goes on, and what it gets or how long it takes may be different.
    Risky,
    /// Old code that uses it fails.
    Breaking,
}

/// What old code must do to be harmed by a breaking difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "use", content = "relation")]
pub(crate) enum Use {
    /// Name it: then PostgreSQL refuses the statement when it is prepared or planned.
    Name,
    /// Add rows to this relation.
    Insert(String),
    /// Add or change rows of this relation.
    Write(String),
    /// Read this relation.
    Read(String),
    /// Nothing that a statement shows.
    Unknown,
}

/// Class, reason, and what must be done with it to be harmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub class: Class,
    pub reason: String,
    pub harms: Use,
}

/// One object that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub key: Key,
    pub how: How,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Added,
    Removed,
    /// Attribute, before, after.
    Changed(Vec<(String, Value, Value)>),
}

impl Verdict {
    fn compatible(reason: &str) -> Self {
        Verdict { class: Class::Compatible, reason: reason.into(), harms: Use::Unknown }
    }

    fn risky(reason: impl Into<String>) -> Self {
        Verdict { class: Class::Risky, reason: reason.into(), harms: Use::Unknown }
    }

    fn breaking(harms: Use, reason: impl Into<String>) -> Self {
        Verdict { class: Class::Breaking, reason: reason.into(), harms }
    }
}

/// What a rule sees: the object, and both schemas around it.
struct Case<'a> {
    key: &'a Key,
    before: &'a Catalog,
    after: &'a Catalog,
}

impl Case<'_> {
    /// Whether what it belongs to is new as well: then old code does not know of it.
    fn is_part_of_new(&self) -> bool {
        self.key.parent().is_some_and(|parent| self.before.get(&parent).is_none())
    }

    /// Whether what it belongs to is gone as well, which is told of that.
    fn is_part_of_gone(&self) -> bool {
        self.key.parent().is_some_and(|parent| self.after.get(&parent).is_none())
    }

    fn column(&self, name: &str) -> Key {
        Key { object: Kind::Column, name: name.to_owned(), ..self.key.clone() }
    }

    /// Whether all of these columns are new, so that old code writes none of them.
    fn all_new(&self, columns: &Value) -> bool {
        let mut names = columns.as_array().into_iter().flatten().filter_map(Value::as_str).peekable();
        names.peek().is_some() && names.all(|name| self.before.get(&self.column(name)).is_none())
    }
}

/// Every difference, in the order of the objects. What is said of one database on one server only is compared where both are of that.
pub(crate) fn changes(before: &Catalog, after: &Catalog) -> Vec<Change> {
    let here = before.has_origin_of(after);
    let change = |(key, was, is): (&Key, Option<&Attributes>, Option<&Attributes>)| {
        if !here && key.object.is_local() {
            return None;
        }
        let case = Case { key, before, after };
        let (how, verdict) = match (was, is) {
            (None, Some(is)) => (How::Added, added(&case, is)),
            (Some(was), None) => (How::Removed, removed(&case, was)),
            (Some(was), Some(is)) if was != is => {
                let (was, is) = (&flat(was, here), &flat(is, here));
                let differing = differing(was, is);
                let verdict =
                    differing.iter().map(|(name, ..)| changed(&case, name, was, is)).reduce(worse)?;
                (How::Changed(differing), verdict)
            }
            _ => return None,
        };
        Some(Change { key: key.clone(), how, verdict })
    };
    before.pairs(after).filter_map(change).collect()
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    if b.class > a.class { b } else { a }
}

fn added(case: &Case, is: &Attributes) -> Verdict {
    if case.is_part_of_new() {
        return Verdict::compatible("it belongs to something new");
    }
    match &case.key.object {
        Kind::Column => relation::column_added(case, is),
        Kind::Constraint => constraint::added(case, is),
        Kind::Index => constraint::index_added(case, is),
        Kind::Trigger | Kind::Rule => Verdict::risky("what old code writes is changed or refused by it"),
        Kind::Policy => Verdict::risky("rows may be hidden from old code, or its writes refused"),
        Kind::Grant if is["revoked"] == true => Verdict::breaking(Use::Name, "who had this right is refused"),
        Kind::Other(kind) => other::added(kind),
        _ if !is["revoked"].is_null() => Verdict::risky("who had rights on it may be refused"),
        _ => Verdict::compatible("old code does not know of it"),
    }
}

fn removed(case: &Case, was: &Attributes) -> Verdict {
    if case.is_part_of_gone() {
        return Verdict::compatible("it went with what it belonged to");
    }
    match &case.key.object {
        Kind::Relation => Verdict::breaking(Use::Name, "old code that names it fails"),
        Kind::Column => relation::column_removed(case, was),
        Kind::Constraint => constraint::removed(case, was),
        Kind::Index => constraint::index_removed(case, was),
        Kind::Grant if was["revoked"] == true => Verdict::compatible("nobody is refused that had the right"),
        Kind::Grant => Verdict::breaking(Use::Name, "who had this right is refused"),
        Kind::Other(kind) => other::removed(kind),
        Kind::Trigger | Kind::Rule | Kind::Policy => {
            Verdict::risky("what it did for old code is not done any more")
        }
        Kind::Statistics => Verdict::risky("queries may be planned otherwise"),
        Kind::Schema | Kind::Extension | Kind::Enum | Kind::Domain | Kind::Sequence | Kind::Function => {
            Verdict::breaking(Use::Name, "old code that names it fails")
        }
    }
}

fn changed(case: &Case, attribute: &str, was: &Attributes, is: &Attributes) -> Verdict {
    if let Some(verdict) = other::attribute(attribute) {
        return verdict;
    }
    match &case.key.object {
        Kind::Relation => relation::changed(case, attribute, is),
        Kind::Column => relation::column_changed(case, attribute, was, is),
        Kind::Constraint => constraint::changed(case, attribute, was, is),
        Kind::Index => constraint::index_changed(case, attribute, is),
        Kind::Enum | Kind::Domain | Kind::Sequence | Kind::Function | Kind::Extension | Kind::Schema => {
            standalone::changed(case, attribute, was, is)
        }
        Kind::Grant if is["revoked"] == true => Verdict::breaking(Use::Name, "who had this right is refused"),
        Kind::Grant => Verdict::compatible("it may be handed on, or not"),
        Kind::Other(kind) => other::changed(kind),
        Kind::Trigger | Kind::Rule | Kind::Policy => Verdict::risky("it does something else for old code"),
        Kind::Statistics => Verdict::risky("queries may be planned otherwise"),
    }
}

impl Change {
    /// As a record's data.
    pub(crate) fn data(&self) -> Value {
        let Key { object, schema, relation, name } = &self.key;
        let (how, differs) = match &self.how {
            How::Added => ("added", Value::Null),
            How::Removed => ("removed", Value::Null),
            How::Changed(all) => {
                let one = |(name, was, is): &(String, Value, Value)| json!({"attribute": name, "before": was, "after": is});
                ("changed", all.iter().map(one).collect())
            }
        };
        let mut data = json!({
            "kind": "change", "change": how, "object": object, "schema": schema, "relation": relation, "name": name,
            "class": self.verdict.class, "reason": self.verdict.reason,
        });
        if !differs.is_null() {
            data["differs"] = differs;
        }
        data
    }

    pub(crate) fn describe(&self) -> String {
        let how = match self.how {
            How::Added => "added",
            How::Removed => "removed",
            How::Changed(_) => "changed",
        };
        format!("{how} {}", self.key)
    }
}

#[cfg(test)]
mod tests;
