//! What going back would lose.

use std::collections::HashMap;

use serde_json::json;
use tg_core::database::{Client, Transaction};

use tg_core::migrators;

use crate::baseline::Baseline;
use crate::context::Context;
use crate::error::Error;
use crate::facts::{self, Table};
use crate::snapshot::UNLIMITED;
use crate::tally;

const PID: &str = "SELECT pg_catalog.pg_backend_pid()";
const NEXT: &str = "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint";
/// age() counts back from one transaction that is fixed for the whole of ours: which one it is, is
/// known from the age of another.
const COUNTER: &str = "SELECT x.next + pg_catalog.age((x.next % 4294967296)::text::xid) FROM \
    (SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS next) AS x";
/// Large objects have no table of the user's; they count where they are.
const LARGE_OBJECTS: (&str, &str) = ("pg_catalog", "pg_largeobject_metadata");

/// Watches the live database for rows that going back would lose.
pub(crate) struct Watch {
    client: Client,
    baseline: Baseline,
    /// The next transaction when it was looked at last.
    seen: i64,
}

/// Rows that one table would lose.
#[derive(Debug, PartialEq)]
pub(crate) struct Lost {
    pub table: Table,
    pub rows: i64,
}

impl Watch {
    pub(crate) fn open(
        ctx: &Context,
        baseline: impl FnOnce(&mut Client, u64) -> Result<Baseline, Error>,
    ) -> Result<Self, Error> {
        let mut client = ctx.target.connect(crate::TOOL, None)?;
        client.batch_execute(UNLIMITED)?;
        let seen: i64 = client.query_one(NEXT, &[])?.get(0);
        let baseline = baseline(&mut client, u64::try_from(seen).unwrap_or(0))?;
        Ok(Watch { client, baseline, seen })
    }

    /// The backend of this connection, which must survive when others are sent away.
    pub(crate) fn pid(&mut self) -> Result<i32, Error> {
        Ok(self.client.query_one(PID, &[])?.get(0))
    }

    /// Whether nobody has written since what is to come back was made.
    pub(crate) fn is_untouched(&self) -> bool {
        matches!(self.baseline, Baseline::Untouched)
    }

    /// What would be lost now, by table. What a migrator wrote down of itself goes back with what it did.
    pub(crate) fn look(&mut self) -> Result<Vec<Lost>, Error> {
        let mut transaction = self.client.reading()?;
        self.seen = transaction.query_one(NEXT, &[])?.get(0);
        let mut tables = facts::tables(&mut transaction)?;
        let histories = migrators::tables(&mut transaction)?;
        tables.retain(|t| histories.iter().all(|h| (&h.schema, &h.name) != (&t.schema, &t.name)));
        let lost = match &self.baseline {
            Baseline::Untouched => Vec::new(),
            Baseline::Since { xid, migrations } => {
                let (schema, name) = LARGE_OBJECTS;
                tables.push(Table { schema: schema.into(), name: name.into(), ..Table::default() });
                written_since(&mut transaction, tables, *xid, migrations)?
            }
            Baseline::Counts(known) => {
                tally::count(&mut transaction, &mut tables)?;
                more_than(tables, known)
            }
        };
        Ok(lost)
    }

    /// Whether somebody has written since it was looked at; so many transactions were our own.
    pub(crate) fn touched(&mut self, own: i64) -> Result<bool, Error> {
        let next: i64 = self.client.query_one(NEXT, &[])?.get(0);
        let touched = next > self.seen + own;
        if let (true, Baseline::Untouched) = (touched, &self.baseline) {
            // Until then nobody had.
            let xid = u64::try_from(self.seen).unwrap_or(0);
            self.baseline = Baseline::Since { xid, migrations: Vec::new() };
        }
        Ok(touched)
    }

    /// Looks again, but only when somebody has written since.
    pub(crate) fn look_again(&mut self, own: i64) -> Result<Vec<Lost>, Error> {
        if self.touched(own)? { self.look() } else { Ok(Vec::new()) }
    }
}

fn written_since(
    transaction: &mut Transaction,
    tables: Vec<Table>,
    xid: u64,
    migrations: &[(u64, u64)],
) -> Result<Vec<Lost>, Error> {
    let now: i64 = transaction.query_one(COUNTER, &[])?.get(0);
    let condition = ages(now, xid, migrations);
    let mut lost = Vec::new();
    for table in tables {
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM (SELECT pg_catalog.age(xmin)::bigint AS age FROM ONLY {} {}) AS r WHERE {condition}",
            table.quoted(),
            table.condition
        );
        let rows: i64 = transaction.query_one(&sql, &[])?.get(0);
        if rows > 0 {
            lost.push(Lost { table, rows });
        }
    }
    Ok(lost)
}

/// Identifiers go round, so rows are told by age: how many transactions ago. A frozen row keeps the
/// identifier that it had, which may have come round since; its age is then negative (or, after a
/// whole circle, young: such a row is counted as lost rather than missed). The permanent
/// identifiers 1 and 2 have the greatest age that there is.
fn ages(now: i64, xid: u64, migrations: &[(u64, u64)]) -> String {
    let age = |xid: u64| now.saturating_sub(i64::try_from(xid).unwrap_or(i64::MAX));
    let own =
        |(from, before): &(u64, u64)| format!("NOT (r.age > {} AND r.age <= {})", age(*before), age(*from));
    let since = std::iter::once(format!("r.age BETWEEN 0 AND {}", age(xid)));
    since.chain(migrations.iter().map(own)).collect::<Vec<_>>().join(" AND ")
}

/// Rows beyond the known numbers. Rows that were only changed can't be seen this way.
fn more_than(live: Vec<Table>, known: &[Table]) -> Vec<Lost> {
    let known: HashMap<_, _> = known.iter().map(|t| ((&t.schema, &t.name), t.rows)).collect();
    let more = |table: Table| {
        let before = known.get(&(&table.schema, &table.name)).copied().flatten();
        let rows = table.rows.unwrap_or(0) - before.unwrap_or(0);
        Lost { table, rows }
    };
    live.into_iter().map(more).filter(|lost| lost.rows > 0).collect()
}

/// Tells what would be lost, and refuses unless that was accepted.
pub(crate) fn judge(ctx: &Context, lost: &[Lost], accepted: bool) -> Result<i64, Error> {
    let rows = lost.iter().map(|l| l.rows).sum();
    for Lost { table, rows } in lost {
        let msg = format!("{rows} rows of {} were written since", table.plain());
        let data = json!({"kind": "lost", "schema": table.schema, "table": table.name, "rows": rows});
        ctx.session.emit.record(&msg, data)?;
    }
    if rows > 0 && !accepted {
        return Err(Error::DataLoss { rows, tables: lost.len() });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, rows: i64) -> Table {
        Table { schema: "s".into(), name: name.into(), rows: Some(rows), ..Table::default() }
    }

    #[test]
    fn ages_say_which_transactions_count() {
        assert_eq!(ages(100, 90, &[]), "r.age BETWEEN 0 AND 10");
        // Transactions 92 to 94 are 8, 7 and 6 ago.
        assert_eq!(ages(100, 90, &[(92, 95)]), "r.age BETWEEN 0 AND 10 AND NOT (r.age > 5 AND r.age <= 8)");
    }

    #[test]
    fn only_rows_beyond_the_known_number_are_lost() {
        let lost =
            more_than(vec![table("a", 5), table("b", 1), table("new", 2)], &[table("a", 3), table("b", 4)]);
        let rows: Vec<_> = lost.iter().map(|l| (l.table.name.as_str(), l.rows)).collect();
        assert_eq!(rows, [("a", 2), ("new", 2)]);
    }
}
