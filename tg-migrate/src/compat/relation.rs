//! Rules for tables, views and their columns.

use serde_json::Value;

use crate::catalog::{Attributes, Key, Kind};
use crate::compat::{Case, Use, Verdict, types};

pub(super) fn changed(case: &Case, attribute: &str, is: &Attributes) -> Verdict {
    let place = case.key.place();
    match attribute {
        "row_security" if is[attribute] == "off" => Verdict::compatible("no row is hidden any more"),
        "row_security" if is[attribute] == "forced" => {
            Verdict::breaking(Use::Read(place), "rows without a policy are hidden, from its owner too")
        }
        "row_security" => Verdict::risky("rows without a policy are hidden from all but its owner"),
        "persistence" if is[attribute] == "unlogged" => Verdict::risky("a crash of the server empties it"),
        "persistence" => Verdict::compatible("it survives a crash of the server"),
        "definition" => Verdict::risky("it has other rows than old code expects"),
        "is" | "partition" | "partitioned_by" | "inherits" | "detach_pending" => {
            Verdict::risky("rows are kept elsewhere than before")
        }
        "options" if is["is"].as_str().is_some_and(|kind| kind.ends_with("view")) => {
            Verdict::risky("it may check rights or rows otherwise")
        }
        "options" | "toast_options" => Verdict::compatible("it holds the same"),
        "relispopulated" if is[attribute] == true => Verdict::compatible("it can be read now"),
        "relispopulated" => Verdict::breaking(Use::Read(place), "it can't be read until it is refreshed"),
        "relreplident" => Verdict::risky("updates and deletes may be refused while it is published"),
        _ => Verdict::risky("it may hold or do something else for old code"),
    }
}

pub(super) fn column_added(case: &Case, is: &Attributes) -> Verdict {
    let filled = ["default", "identity", "generated"].iter().any(|by| !is[*by].is_null());
    if is["not_null"] == true && !filled {
        let reason = "it must have a value, and old code gives it none";
        return Verdict::breaking(Use::Insert(case.key.place()), reason);
    }
    Verdict::compatible("old code does not name it")
}

pub(super) fn column_removed(case: &Case, was: &Attributes) -> Verdict {
    let renamed =
        renamed(case, was).map_or(String::new(), |name| format!("; {name} came, perhaps it was renamed"));
    Verdict::breaking(Use::Name, format!("old code that names it fails{renamed}"))
}

/// The only new column of its table, if it is of the same type.
fn renamed(case: &Case, was: &Attributes) -> Option<String> {
    let siblings = case.after.iter().filter(|(key, _)| {
        key.object == Kind::Column && key.schema == case.key.schema && key.relation == case.key.relation
    });
    let mut new = siblings.filter(|(key, is)| case.before.get(key).is_none() && is["type"] == was["type"]);
    let first: (&Key, _) = new.next()?;
    new.next().is_none().then(|| first.0.name.clone())
}

pub(super) fn column_changed(case: &Case, attribute: &str, was: &Attributes, is: &Attributes) -> Verdict {
    let (before, after, place) = (&was[attribute], &is[attribute], case.key.place());
    match attribute {
        "type" => types::changed(place, text(before), text(after)),
        "not_null" if *after == true => Verdict::breaking(Use::Write(place), "old code may write null to it"),
        "not_null" => Verdict::risky("old code may read null from it"),
        "default" if !after.is_null() => {
            Verdict::compatible("old code that gives it no value gets another one")
        }
        "default" if !is["identity"].is_null() || !is["generated"].is_null() => {
            Verdict::compatible("it is filled otherwise")
        }
        "default" if is["not_null"] == true => {
            Verdict::breaking(Use::Insert(place), "old code may give it no value, and it must have one")
        }
        "default" => Verdict::risky("old code that gives it no value gets null"),
        "identity" if after == "always" => {
            Verdict::breaking(Use::Name, "old code that gives it a value is refused")
        }
        "identity" if after.is_null() && is["default"].is_null() && is["not_null"] == true => {
            Verdict::breaking(Use::Insert(place), "old code may give it no value, and it must have one")
        }
        "identity" => Verdict::compatible("it is filled otherwise"),
        "generated" if before.is_null() => {
            Verdict::breaking(Use::Name, "old code that gives it a value is refused")
        }
        "generated" => Verdict::risky("it has other values than old code expects"),
        "collation" => Verdict::risky("it is sorted and compared otherwise"),
        "not_null_as" | "attoptions" => Verdict::compatible("it holds the same"),
        "attgenerated" => Verdict::compatible("it has the same values, computed at another time"),
        _ => Verdict::risky("it may hold or do something else for old code"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
