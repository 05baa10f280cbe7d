//! What vendors promise of their migrations: that a second run changes nothing, and that a run after one that was killed
//! ends where one that was not killed ends.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::Truth;
use tg_core::migrators;

use crate::catalog::Catalog;
use crate::compat::{self, Change};
use crate::error::MigrateError;
use crate::rehearse::arena::{MIGRATED, PRISTINE};
use crate::rehearse::contents::Contents;
use crate::rehearse::migration::{self, Effect, Moment, moments};
use crate::rehearse::rehearsal::Rehearsal;
use crate::rehearse::trace::Trace;

/// How often the migrator is killed at most, and at least where one kill and the run after it take long.
const MOST_KILLS: usize = 6;
const LEAST_KILLS: usize = 2;
/// How long that goes on before the least is enough.
const PATIENCE: Duration = Duration::from_secs(25);

impl Rehearsal<'_> {
    /// The first promise, asked of the database as the first run has left it.
    pub(super) fn is_idempotent(
        &self,
        first: &Effect,
        reasons: &mut Vec<String>,
    ) -> Result<Truth, MigrateError> {
        let second = self.migration().observe()?;
        let histories = histories(self)?;
        let written = second.rows.iter().find(|w| !histories.contains(&w.place()));
        let problem = if !second.run.is_well() {
            Some(format!("a second run fails: {}", second.run.describe()))
        } else if !second.after.catalog.is_as(&first.after.catalog) {
            Some(format!(
                "a second run changes the schema again: {}",
                difference(&first.after.catalog, &second.after.catalog)
            ))
        } else {
            written.map(|w| format!("a second run writes rows again, in {}", w.place()))
        };
        let seen = second.run.was_seen();
        self.promise("idempotent", "a second run changes nothing", problem, seen, reasons)
    }

    /// The second; it can't be told where it could be killed at no moment.
    pub(super) fn is_convergent(
        &self,
        first: &Effect,
        reasons: &mut Vec<String>,
    ) -> Result<Truth, MigrateError> {
        self.arena.reset(MIGRATED)?;
        let histories = histories(self)?;
        let tables: Vec<_> = first.rows.iter().filter(|w| !histories.contains(&w.place())).collect();
        let wanted = Contents::read(&mut self.arena.connect()?, &tables)?;
        let (begun, mut tried, mut problem) = (Instant::now(), 0, None);
        let mut seen = Truth::Yes;
        for moment in moments(&first.trace.steps, first.run.duration, self.kills.unwrap_or(MOST_KILLS)) {
            if self.kills.is_none() && tried >= LEAST_KILLS && begun.elapsed() >= PATIENCE {
                break;
            }
            self.arena.reset(PRISTINE)?;
            if !self.migration().kill(&moment)? {
                continue;
            }
            tried += 1;
            let again = self.migration().run()?;
            seen = seen.and(again.was_seen());
            let after = migration::catalog(self.arena)?;
            let when = describe(&moment, &first.trace);
            problem = if !again.is_well() {
                Some(format!("killed {when} it can't be run again: {}", again.describe()))
            } else if after.hash() != first.after.catalog.hash() {
                let named = difference(&first.after.catalog, &after);
                Some(format!("killed {when} and run again it leaves another schema: {named}"))
            } else {
                let contents = Contents::read(&mut self.arena.connect()?, &tables)?;
                contents
                    .other_than(&wanted)
                    .map(|place| format!("killed {when} and run again it leaves other rows: {place}"))
            };
            if problem.is_some() {
                break;
            }
        }
        self.arena.reset(MIGRATED)?;
        if tried == 0 {
            seen = Truth::unknown("it ended before it could be killed");
        }
        let msg = format!("killed at {tried} moments and run again it ends as if it had not been killed");
        self.promise("convergent", &msg, problem, seen, reasons)
    }

    fn promise(
        &self,
        name: &str,
        kept: &str,
        problem: Option<String>,
        seen: Truth,
        reasons: &mut Vec<String>,
    ) -> Result<Truth, MigrateError> {
        let holds = if problem.is_some() { Truth::No } else { seen };
        let unknown = holds.why().map(|why| format!("it can't be told whether it is {name}: {why}"));
        let msg = problem.as_ref().or(unknown.as_ref()).map_or(kept, String::as_str);
        let mut data = json!({"kind": "promise", "promise": name, "problem": problem});
        if let Some(data) = data.as_object_mut() {
            holds.put(data, "kept");
        }
        self.ctx.session.emit.record(msg, data)?;
        reasons.extend(problem.or(unknown));
        Ok(holds)
    }
}

/// The tables of migrators' own histories.
fn histories(rehearsal: &Rehearsal) -> Result<Vec<String>, MigrateError> {
    let tables = migrators::tables(&mut rehearsal.arena.connect()?)?;
    Ok(tables.iter().map(migrators::Table::place).collect())
}

/// The first difference.
fn difference(before: &Catalog, after: &Catalog) -> String {
    compat::changes(before, after).first().map_or(String::new(), Change::describe)
}

fn describe(moment: &Moment, trace: &Trace) -> String {
    let tag =
        |n: u64| trace.steps.iter().find(|s| s.n == n).map_or("a command", |s| s.tag.as_str()).to_owned();
    match moment {
        Moment::Before(n) => format!("before command {n} ({})", tag(*n)),
        Moment::Within(n) => format!("within command {n} ({} CONCURRENTLY)", tag(*n)),
        Moment::After(time) => format!("after {:.1} s", time.as_secs_f64()),
    }
}
