//! An index as the report tells of it: bloated, invalid, unused, or the same as another one.

use std::collections::HashMap;

use postgres::Row;
use serde_json::{Map, Value, json};
use tg_core::database::Client;
use tg_core::database::ident;

use super::relation::option;
use crate::bloat::Bloat;
use crate::text;

/// What is known of an index.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of its own")]
pub(crate) struct Index {
    pub(crate) oid: u32,
    pub(crate) table_oid: u32,
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) name: String,
    /// `btree`, `gist`, …
    pub(crate) method: String,
    pub(crate) pages: i64,
    pub(crate) rows: f64,
    pub(crate) options: Vec<String>,
    pub(crate) valid: bool,
    pub(crate) unique: bool,
    /// It stands for something else than being read: a constraint, a replica identity.
    pub(crate) needed: bool,
    pub(crate) scans: i64,
    /// The table's columns in it; 0 for an expression.
    pub(crate) keys: Vec<i16>,
    /// A part of a partitioned index.
    pub(crate) part: bool,
    /// What it does, in one word: two that have the same do the same work.
    pub(crate) alike: Option<String>,
    pub(crate) size: Option<i64>,
    pub(crate) bloat: Option<Bloat>,
    /// Another index that does the same.
    pub(crate) same_as: Option<String>,
}

impl Index {
    /// All of them, with those that are the same as another told.
    pub(crate) fn all(client: &mut Client) -> Result<Vec<Self>, tg_core::database::QueryError> {
        let rows = client.query(include_str!("../sql/indexes.sql"), &[])?;
        let mut all: Vec<Index> = rows.iter().map(Self::read).collect::<Result<_, _>>()?;
        tell_twins(&mut all);
        Ok(all)
    }

    fn read(row: &Row) -> Result<Self, tg_core::database::QueryError> {
        Ok(Index {
            oid: row.try_get("oid")?,
            table_oid: row.try_get("table_oid")?,
            schema: row.try_get("schema")?,
            table: row.try_get("table")?,
            name: row.try_get("name")?,
            method: row.try_get("method")?,
            pages: row.try_get("pages")?,
            rows: row.try_get("rows")?,
            options: row.try_get::<_, Option<Vec<String>>>("options")?.unwrap_or_default(),
            valid: row.try_get("valid")?,
            unique: row.try_get("unique")?,
            needed: row.try_get("needed")?,
            scans: row.try_get("scans")?,
            keys: row.try_get("keys")?,
            part: row.try_get("part")?,
            alike: row.try_get("alike")?,
            size: None,
            bloat: None,
            same_as: None,
        })
    }

    /// Per cent of a leaf page that is filled.
    pub(crate) fn fill(&self) -> f64 {
        option(&self.options, "fillfactor").and_then(|value| value.parse().ok()).unwrap_or(90.0)
    }

    /// Whether duplicates share a key (from 13 on, where nobody turned it off).
    pub(crate) fn deduplicates(&self) -> bool {
        option(&self.options, "deduplicate_items")
            .is_none_or(|value| matches!(value, "on" | "true" | "1" | "yes"))
    }

    /// What `REINDEX CONCURRENTLY` left behind when it was interrupted: a new one that is not complete, or an old one that
    /// has been replaced.
    pub(crate) fn is_leftover(&self) -> bool {
        !self.valid && (self.has_suffix("_ccnew") || self.has_suffix("_ccold"))
    }

    fn has_suffix(&self, suffix: &str) -> bool {
        let name = self.name.trim_end_matches(|c: char| c.is_ascii_digit());
        name.ends_with(suffix)
    }

    /// For SQL.
    pub(crate) fn quoted(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }

    /// For people.
    pub(crate) fn label(&self) -> String {
        text::label(&self.schema, &self.name)
    }

    /// The names, for a line of output.
    pub(crate) fn names(&self) -> Map<String, Value> {
        let mut names = Map::new();
        names.insert("schema".into(), json!(self.schema));
        names.insert("table".into(), json!(self.table));
        names.insert("index".into(), json!(self.name));
        names
    }
}

/// Of indexes that do the same work, the one that is needed is kept, else the one that is read most; the others name it.
fn tell_twins(all: &mut [Index]) {
    let mut best: HashMap<&str, usize> = HashMap::new();
    let worth = |index: &Index| (index.valid, index.needed, index.scans, std::cmp::Reverse(index.oid));
    for (i, index) in all.iter().enumerate() {
        let Some(alike) = &index.alike else { continue };
        let kept = best.entry(alike).or_insert(i);
        if worth(index) > worth(&all[*kept]) {
            *kept = i;
        }
    }
    let twins: Vec<(usize, String)> = all
        .iter()
        .enumerate()
        .filter_map(|(i, index)| {
            let kept = *best.get(index.alike.as_deref()?)?;
            // What a constraint stands on is not dropped for its twin.
            (kept != i && !index.needed && index.valid).then(|| (i, all[kept].name.clone()))
        })
        .collect();
    for (i, name) in twins {
        all[i].same_as = Some(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(oid: u32, needed: bool, scans: i64) -> Index {
        Index {
            oid,
            name: format!("i{oid}"),
            needed,
            scans,
            valid: true,
            alike: Some("a".into()),
            ..Index::default()
        }
    }

    #[test]
    fn of_twins_the_one_that_is_needed_is_kept_then_the_one_that_is_read() {
        let mut all = [index(1, false, 100), index(2, true, 0), index(3, false, 0)];
        tell_twins(&mut all);
        let same: Vec<_> = all.iter().map(|index| index.same_as.as_deref()).collect();
        assert_eq!(same, [Some("i2"), None, Some("i2")]);
        let mut all = [index(1, false, 1), index(2, false, 9)];
        tell_twins(&mut all);
        assert_eq!((all[0].same_as.as_deref(), all[1].same_as.as_deref()), (Some("i2"), None));
        let mut both = [index(1, true, 1), index(2, true, 9)];
        tell_twins(&mut both);
        assert!(both.iter().all(|index| index.same_as.is_none()), "both are needed");
    }

    #[test]
    fn leftovers_are_known_by_their_names_and_by_being_invalid() {
        let named =
            |name: &str, valid: bool| Index { name: name.into(), valid, ..Index::default() }.is_leftover();
        assert!(named("t_idx_ccnew", false) && named("t_idx_ccnew12", false) && named("t_idx_ccold", false));
        assert!(!named("t_idx_ccnew", true) && !named("t_idx", false));
    }
}
