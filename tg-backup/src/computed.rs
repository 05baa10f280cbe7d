//! What is computed from data and kept: generated columns, and materialized views. No dump carries it, so after a restore it
//! may be another than before. That is no loss, but it is told, when the backup is made and when it is proven.

use serde_json::json;
use tg_core::backup::Depth;
use tg_core::database::Client;

use crate::context::Context;
use crate::error::Error;
use crate::facts::{Facts, Table};
use crate::tally::{self, Tally};

/// A stored column's expression, as the server would write it.
const EXPRESSIONS: &str = include_str!("sql/expressions.sql");
/// A function may read what the tally sets for its own purposes; pg_restore leaves it as the database has it.
const AS_RESTORED: &str = "RESET TimeZone; RESET DateStyle; RESET IntervalStyle; RESET lc_monetary; RESET bytea_output; \
    RESET extra_float_digits; SET search_path = ''";
/// `lock_not_available`
const LOCKED: &str = "[55P03]";
/// A view that is being filled anew is locked for as long as that takes.
const SHORT: &str = "SET lock_timeout = '2s'";
pub(crate) const CODE: &str = "computed-differs";

/// Something computed that is not what it was.
#[derive(Debug, PartialEq)]
pub(crate) struct Difference {
    /// `schema.table`
    pub object: String,
    pub column: Option<String>,
    /// In how many rows, where that is known.
    pub rows: Option<i64>,
}

impl Difference {
    pub(crate) fn name(&self) -> String {
        self.column.as_ref().map_or(self.object.clone(), |column| format!("{}.{column}", self.object))
    }

    /// Warns of it; `when` is "when it is restored" or so.
    pub(crate) fn tell(&self, ctx: &Context, when: &str) -> Result<(), Error> {
        let rows = self.rows.map_or("some rows".into(), |rows| format!("{rows} rows"));
        let what = match &self.column {
            Some(column) => format!("column {column} of {}", self.object),
            None => format!("materialized view {}", self.object),
        };
        let msg = format!("{what} is no data: it is computed anew {when} and differs in {rows}");
        let data = json!({"object": self.object, "column": self.column, "rows": self.rows});
        Ok(ctx.session.emit.warning(CODE, &msg, data)?)
    }
}

impl Tally<'_> {
    /// In how many rows each stored generated column holds another value than its expression gives now. What can't be
    /// computed can't be restored either, which is told.
    pub(crate) fn recompute(&self, ctx: &Context, tables: &mut [Table]) -> Result<(), Error> {
        let mut todo = tables.iter_mut().filter(|t| t.computed.is_some()).peekable();
        if self.depth < Depth::Full || todo.peek().is_none() {
            return Ok(());
        }
        let mut client = self.client()?;
        client.batch_execute(AS_RESTORED)?;
        for table in todo {
            let looked = self.transaction(&mut client, |client| differing(client, table));
            match looked {
                Ok(()) => {}
                Err(error) if self.is_stopped() || client.is_closed() => return Err(error),
                Err(error) if error.to_string().contains(LOCKED) => {
                    ctx.session.emit.explain(&format!("{} is not computed now: {error}", table.plain()));
                }
                Err(error) => {
                    let msg = format!(
                        "the generated columns of {} can't be computed now, so a restore is likely to fail: {error}",
                        table.plain()
                    );
                    let data = json!({"object": table.plain(), "problem": error.to_string()});
                    ctx.session.emit.warning("computed-fails", &msg, data)?;
                }
            }
        }
        Ok(())
    }

    /// Reads materialized views. One that can't be read now is not compared later.
    pub(crate) fn views(&self, ctx: &Context, views: &mut [Table]) -> Result<(), Error> {
        if self.depth == Depth::Off || views.is_empty() {
            return Ok(());
        }
        let mut client = self.client()?;
        client.batch_execute(SHORT)?;
        for i in 0..views.len() {
            let read = self.transaction(&mut client, |client| tally::ask(client, views, &[i], self.depth));
            match read {
                Ok(rows) => tally::fill(views, rows),
                Err(error) if self.is_stopped() || client.is_closed() => return Err(error),
                Err(error) => {
                    ctx.session.emit.explain(&format!("{} is not read: {error}", views[i].plain()));
                }
            }
        }
        Ok(())
    }
}

fn differing(client: &mut Client, table: &mut Table) -> Result<(), Error> {
    let rows = client.query(EXPRESSIONS, &[&table.oid])?;
    if rows.is_empty() {
        return Ok(());
    }
    let counts: Vec<String> = rows.iter().map(|row| row.get(1)).collect();
    let from = match table.condition.as_str() {
        "" => format!("ONLY {}", table.quoted()),
        condition => format!("(SELECT * FROM ONLY {} {condition})", table.quoted()),
    };
    let counted = client.query_one(&format!("SELECT {} FROM {from} AS t", counts.join(", ")), &[])?;
    for (i, row) in rows.iter().enumerate() {
        let name: String = row.get(0);
        let columns = table.computed.iter_mut().flat_map(|computed| &mut computed.columns);
        for column in columns.filter(|column| column.name == name) {
            column.differing = Some(counted.get(i));
        }
    }
    Ok(())
}

/// The generated columns that hold other values than a restore will give them.
pub(crate) fn stale(tables: &[Table]) -> Vec<Difference> {
    let of = |table: &Table| {
        let columns = table.computed.iter().flat_map(|computed| &computed.columns);
        columns
            .filter(|column| column.differing.is_some_and(|rows| rows > 0))
            .map(|column| Difference {
                object: table.plain(),
                column: Some(column.name.clone()),
                rows: column.differing,
            })
            .collect::<Vec<_>>()
    };
    tables.iter().flat_map(of).collect()
}

/// What is computed and came back otherwise. What was not read on both sides can't differ.
pub(crate) fn differences(is: &Facts, was: &Facts) -> Vec<Difference> {
    let same = |a: &Table, b: &Table| (&a.schema, &a.name) == (&b.schema, &b.name);
    let mut all = Vec::new();
    for was in &was.tables {
        let (Some(is), Some(computed)) = (is.tables.iter().find(|t| same(t, was)), &was.computed) else {
            continue;
        };
        let hash = is.computed.as_ref().and_then(|now| now.hash.as_ref());
        if hash.is_none() || computed.hash.is_none() || hash == computed.hash.as_ref() {
            continue;
        }
        let mut known = stale(std::slice::from_ref(was));
        if known.is_empty() {
            let columns = computed.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
            known.push(Difference { object: was.plain(), column: Some(columns.join(", ")), rows: None });
        }
        all.extend(known);
    }
    for was in was.views.iter().filter(|view| view.rows.is_some()) {
        let Some(is) = is.views.iter().find(|view| same(view, was) && view.rows.is_some()) else { continue };
        let hashes = is.hash.is_some() && was.hash.is_some() && is.hash != was.hash;
        if is.rows != was.rows || hashes {
            all.push(Difference { object: was.plain(), column: None, rows: None });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Column, Computed};

    fn table(hash: Option<&str>, differing: Option<i64>) -> Table {
        let columns = vec![Column { name: "w".into(), differing }];
        let computed = Computed { columns, hash: hash.map(str::to_owned) };
        Table { schema: "s".into(), name: "t".into(), computed: Some(computed), ..Table::default() }
    }

    fn of(table: Table) -> Facts {
        Facts { tables: vec![table], ..Facts::default() }
    }

    #[test]
    fn a_column_that_is_computed_anew_is_told_with_its_rows_and_is_no_loss() {
        let was = of(table(Some("7"), Some(100)));
        assert_eq!(differences(&was, &was), []);
        let now = of(table(Some("8"), None));
        let found = differences(&now, &was);
        assert_eq!((found[0].name().as_str(), found[0].rows), ("s.t.w", Some(100)));
        assert_eq!(differences(&now, &of(table(Some("7"), None)))[0].rows, None);
        assert_eq!(differences(&of(table(None, None)), &was), [], "what was not read can't differ");
        assert_eq!(crate::compare::difference(&now, &was), None);
        assert_eq!(stale(&was.tables)[0].rows, Some(100));
        assert_eq!(stale(&of(table(Some("7"), Some(0))).tables), []);
    }

    #[test]
    fn a_view_with_other_rows_is_told() {
        let view = |rows| Table { schema: "s".into(), name: "v".into(), rows, ..Table::default() };
        let of = |rows| Facts { views: vec![view(rows)], ..Facts::default() };
        assert_eq!(differences(&of(Some(2)), &of(Some(1)))[0].name(), "s.v");
        assert_eq!(differences(&of(Some(2)), &of(Some(2))), []);
        assert_eq!(differences(&of(Some(2)), &of(None)), []);
    }
}
