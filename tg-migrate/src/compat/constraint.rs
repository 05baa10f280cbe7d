//! Rules for constraints and indexes.

use crate::catalog::{Attributes, Kind};
use crate::compat::{Case, Use, Verdict};

pub(super) fn added(case: &Case, is: &Attributes) -> Verdict {
    let place = case.key.place();
    let refuses = |what: &str| {
        Verdict::breaking(Use::Write(place.clone()), format!("what old code writes may be refused: {what}"))
    };
    match is["is"].as_str() {
        Some("primary key") if case.all_new(&is["columns"]) && filled_by_itself(case, is) => {
            Verdict::compatible("it is about new columns alone, which fill themselves")
        }
        Some("unique" | "primary key" | "exclusion")
            if case.all_new(&is["columns"]) && nullable(case, is) =>
        {
            Verdict::compatible("it is about new columns alone, which old code leaves null")
        }
        Some("check" | "foreign key") if case.all_new(&is["columns"]) && is["validated"] == true => {
            Verdict::compatible("it is about new columns alone, and what they are filled with fits")
        }
        Some("trigger") => Verdict::risky("what old code writes is changed or refused by it"),
        Some(kind) => refuses(kind),
        None => refuses("a constraint"),
    }
}

fn nullable(case: &Case, is: &Attributes) -> bool {
    every_column(case, is, |column| column["not_null"] != true && column["default"].is_null())
}

fn filled_by_itself(case: &Case, is: &Attributes) -> bool {
    let moves = |default: &str| default.contains("nextval(") || default.contains("uuid");
    every_column(case, is, |column| {
        !column["identity"].is_null() || column["default"].as_str().is_some_and(moves)
    })
}

fn every_column(case: &Case, is: &Attributes, holds: impl Fn(&Attributes) -> bool) -> bool {
    let names = is["columns"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
    names.map(|name| case.after.get(&case.column(name))).all(|column| column.is_some_and(&holds))
}

pub(super) fn removed(_: &Case, was: &Attributes) -> Verdict {
    match was["is"].as_str() {
        // ON CONFLICT that names it is refused when it is planned; what else relied on it is not seen.
        Some("unique" | "primary key" | "exclusion") => Verdict::risky(
            "rows that old code relies on being refused are taken; ON CONFLICT that needs it fails",
        ),
        _ => Verdict::compatible("nothing is refused that was taken before"),
    }
}

pub(super) fn changed(case: &Case, attribute: &str, was: &Attributes, is: &Attributes) -> Verdict {
    match attribute {
        "validated" if is[attribute] == true => Verdict::compatible("it applied to new rows already"),
        "definition" if relaxed(was, is) => Verdict::compatible("it refuses no more than before"),
        "definition" | "columns" | "is" => {
            Verdict::breaking(Use::Write(case.key.place()), "what old code writes may be refused")
        }
        "triggers" if is[attribute].is_null() => {
            Verdict::breaking(Use::Write(case.key.place()), "what old code writes is looked at again")
        }
        "validated" => Verdict::compatible("it refuses no more than before"),
        _ => Verdict::risky("it may refuse more, or less, than before"),
    }
}

/// The same, but for having been checked.
fn relaxed(was: &Attributes, is: &Attributes) -> bool {
    let bare = |all: &Attributes| {
        all["definition"].as_str().map(|text| text.trim_end_matches(" NOT VALID").to_owned())
    };
    bare(was) == bare(is)
}

pub(super) fn index_added(case: &Case, is: &Attributes) -> Verdict {
    if is["valid"] != true {
        return Verdict::risky("it is invalid: it costs writes and serves nobody");
    }
    // What stands for a constraint is judged as one.
    if is["unique"] != true || !is["constraint"].is_null() {
        return Verdict::compatible("old code need not know of it");
    }
    if is["whole"] == true && case.all_new(&is["columns"]) && nullable(case, is) {
        return Verdict::compatible("it is about new columns alone, which old code leaves null");
    }
    Verdict::breaking(Use::Write(case.key.place()), "what old code writes may be refused: unique")
}

pub(super) fn index_removed(case: &Case, was: &Attributes) -> Verdict {
    let stands_for = was["constraint"].as_str().map(|name| {
        let key = crate::catalog::Key { object: Kind::Constraint, name: name.to_owned(), ..case.key.clone() };
        case.after.get(&key).is_none()
    });
    match (stands_for, was["unique"] == true) {
        (Some(true), _) => Verdict::compatible("it went with its constraint"),
        (_, true) => Verdict::risky(
            "rows that old code relies on being refused are taken; ON CONFLICT that needs it fails",
        ),
        _ => Verdict::risky("queries of old code that need it get slow"),
    }
}

pub(super) fn index_changed(case: &Case, attribute: &str, is: &Attributes) -> Verdict {
    match attribute {
        "valid" if is[attribute] == true => Verdict::compatible("it serves from now on"),
        "valid" => Verdict::risky("it is invalid: it costs writes and serves nobody"),
        "unique" if is[attribute] == true => {
            Verdict::breaking(Use::Write(case.key.place()), "what old code writes may be refused: unique")
        }
        _ => Verdict::risky("queries of old code may be planned otherwise"),
    }
}
