//! Whether what a database holds is what its backup says.

use std::collections::BTreeMap;

use tg_core::database::ident;

use crate::facts::{Extension, Facts, Sequence, Table};

/// The first thing that is not as it was. What was not read on both sides can't differ.
pub(crate) fn difference(is: &Facts, was: &Facts) -> Option<String> {
    tables(&is.tables, &was.tables)
        .or_else(|| sequences(&is.sequences, &was.sequences))
        .or_else(|| extensions(&is.extensions, &was.extensions))
        .or_else(|| {
            let (is, was) = (&is.large_objects, &was.large_objects);
            if is.count != was.count {
                return Some(format!("it has {} large objects instead of {}", is.count, was.count));
            }
            differ(is.hash.as_ref(), was.hash.as_ref())
                .then(|| "its large objects have another content".to_owned())
        })
        .or_else(|| {
            let there = |view: &&Table| is.views.iter().any(|v| v.quoted() == view.quoted());
            let missing = was.views.iter().find(|view| !there(view))?;
            Some(format!("materialized view {} is missing or not filled", missing.quoted()))
        })
}

fn tables(is: &[Table], was: &[Table]) -> Option<String> {
    let by_name = |tables: &'_ [Table]| -> BTreeMap<String, usize> {
        tables.iter().enumerate().map(|(i, t)| (t.quoted(), i)).collect()
    };
    let (now, then) = (by_name(is), by_name(was));
    let wrong = then.iter().find_map(|(name, &i)| {
        let Some(&j) = now.get(name) else { return Some(format!("table {name} is missing")) };
        let (is, was) = (&is[j], &was[i]);
        match (is.rows, was.rows) {
            (Some(is), Some(was)) if is != was => {
                return Some(format!("table {name} has {is} rows instead of {was}"));
            }
            _ => {}
        }
        if differ(is.data_hash.as_ref(), was.data_hash.as_ref()) {
            return Some(format!("table {name} has other rows than before"));
        }
        // An older backup has one hash over data and what is computed from it.
        let or = if is.computed.is_some() { ", or its generated columns are computed otherwise" } else { "" };
        differ(is.hash.as_ref(), was.hash.as_ref())
            .then(|| format!("table {name} has other rows than before{or}"))
    });
    wrong.or_else(|| now.keys().find(|t| !then.contains_key(*t)).map(|t| format!("table {t} is too many")))
}

fn differ<T: PartialEq>(is: Option<T>, was: Option<T>) -> bool {
    matches!((is, was), (Some(is), Some(was)) if is != was)
}

/// A sequence that moved during the dump may be anywhere between its two values.
fn sequences(is: &[Sequence], was: &[Sequence]) -> Option<String> {
    was.iter().find_map(|was| {
        let name = format!("{}.{}", ident(&was.schema), ident(&was.name));
        let Some(is) = is.iter().find(|s| (&s.schema, &s.name) == (&was.schema, &was.name)) else {
            return Some(format!("sequence {name} is missing"));
        };
        let fits = match (was.last, was.later) {
            (last, None) => is.last == last,
            (Some(last), Some(later)) => {
                // One that cycles has no order.
                is.last.is_some_and(|now| (last.min(later)..=last.max(later)).contains(&now)) || later < last
            }
            (None, Some(_)) => true,
        };
        let told = |value: Option<i64>| value.map_or("unused".into(), |v| v.to_string());
        (!fits).then(|| format!("sequence {name} is at {} instead of {}", told(is.last), told(was.last)))
    })
}

fn extensions(is: &[Extension], was: &[Extension]) -> Option<String> {
    let there = |e: &&Extension| is.iter().any(|now| now.name == e.name);
    was.iter().find(|e| !there(e)).map(|e| format!("extension {} is missing", e.name))
}

/// Extensions that came back in another version, with the one that they had.
pub(crate) fn changed_extensions<'a>(
    is: &'a [Extension],
    was: &'a [Extension],
) -> Vec<(&'a Extension, &'a str)> {
    let version = |e: &Extension| was.iter().find(|w| w.name == e.name).map(|w| w.version.as_str());
    is.iter().filter_map(|e| Some((e, version(e)?))).filter(|(e, was)| e.version != *was).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::LargeObjects;

    fn table(rows: i64, hash: &str) -> Table {
        Table {
            schema: "we ird".into(),
            name: "Tä\"ble".into(),
            rows: Some(rows),
            hash: Some(hash.into()),
            ..Table::default()
        }
    }

    fn with(table: Table) -> Facts {
        Facts { tables: vec![table], ..Facts::default() }
    }

    #[test]
    fn a_restored_database_that_differs_in_anything_is_refused() {
        let was = with(table(2, "7"));
        assert_eq!(difference(&was, &was), None);
        let says = |is: Facts| difference(&is, &was).unwrap();
        assert_eq!(says(with(table(1, "7"))), "table \"we ird\".\"Tä\"\"ble\" has 1 rows instead of 2");
        assert!(says(with(table(2, "8"))).ends_with("has other rows than before"));
        assert!(says(Facts::default()).ends_with("is missing"));
        let mut more = was.clone();
        more.tables.push(Table { name: "x".into(), ..Table::default() });
        assert!(says(more).ends_with("is too many"));
        let objects = |count, hash: &str| LargeObjects { count, hash: Some(hash.into()) };
        let large = |count, hash| Facts { large_objects: objects(count, hash), ..was.clone() };
        assert_eq!(says(large(1, "0")), "it has 1 large objects instead of 0");
        assert_eq!(
            difference(&large(1, "1"), &large(1, "2")).unwrap(),
            "its large objects have another content"
        );
    }

    #[test]
    fn what_was_not_read_can_not_differ() {
        let counted = Table { hash: None, ..table(2, "") };
        assert_eq!(difference(&with(table(2, "7")), &with(counted)), None);
        let named = Table { rows: None, hash: None, ..table(2, "") };
        assert_eq!(difference(&with(table(2, "7")), &with(named)), None);
    }

    #[test]
    fn a_sequence_is_where_it_was_or_where_it_moved_to_meanwhile() {
        let sequence = |last, later| Sequence { schema: "s".into(), name: "q".into(), last, later };
        let fits = |is, last, later| sequences(&[sequence(is, None)], &[sequence(last, later)]).is_none();
        assert!(fits(Some(3), Some(3), None) && !fits(Some(4), Some(3), None) && !fits(None, Some(3), None));
        assert!(fits(Some(4), Some(3), Some(5)) && !fits(Some(6), Some(3), Some(5)));
        assert!(fits(None, None, None) && fits(Some(1), None, Some(9)));
        assert!(sequences(&[], &[sequence(None, None)]).unwrap().ends_with("is missing"));
    }
}
