//! How a run ends: what was done, what was left and why, and whether the answer is yes.

use serde_json::{Value, json};
use tg_core::{Answer, Exit, Session};

use crate::cycle::Cycle;
use crate::error::Error;
use crate::holder::Holder;
use crate::queue::Job;
use crate::summary::Summary;
use crate::text;
use crate::window::Budget;

/// So many dead rows that can't be removed are worth an answer: the guide's threshold.
const MANY_HELD: i64 = 1000;
/// So many tables are named.
const MOST: usize = 10;

/// All that is known at the end.
pub(crate) struct Conclusion<'a> {
    pub(crate) summary: &'a Summary,
    /// What nobody came to.
    pub(crate) rest: &'a [Job],
    /// Who held the horizon before the first table, and holds it still.
    pub(crate) holders: &'a [Holder],
    pub(crate) cycle: Option<&'a Cycle>,
    /// Tables that an earlier window has done.
    pub(crate) done_before: usize,
    pub(crate) budget: Budget,
}

impl Conclusion<'_> {
    /// For the result and the history.
    pub(crate) fn data(&self) -> Value {
        let mut data = self.summary.data();
        data["left"] = json!(self.left());
        if !self.summary.partial.is_empty() {
            let named = self.summary.partial.iter().take(MOST);
            let named = named.map(|(table, missing)| json!({"table": table, "missing": missing}));
            data["partial_tables"] = named.collect();
        }
        data["budget_ms"] = self.budget.data();
        if let Some(cycle) = self.cycle {
            data["windows"] = json!(cycle.windows);
            data["done_before"] = json!(self.done_before);
        }
        if self.is_held() {
            data["held_by"] = json!(self.holders.iter().map(Holder::data).collect::<Vec<_>>());
        }
        data
    }

    /// Tables that the next window begins with.
    fn left(&self) -> usize {
        self.rest.len() + self.summary.cut.len()
    }

    /// Whether somebody keeps many dead rows from being removed.
    fn is_held(&self) -> bool {
        self.summary.held >= MANY_HELD && !self.holders.is_empty()
    }

    /// Says what a person should know, and answers.
    pub(crate) fn tell(&self, session: &Session) -> Result<Answer, Error> {
        let summary = self.summary;
        if !summary.skipped.is_empty() {
            let msg = format!("{} skipped; the records say why", text::tables(summary.skipped.len()));
            session.emit.warning("tables-skipped", &msg, json!({"tables": summary.skipped}))?;
        }
        for (table, missing) in summary.partial.iter().take(MOST) {
            let data = json!({"table": table, "missing": missing});
            session.emit.warning("partial", &format!("{table}: {missing}"), data)?;
        }
        self.tell_what_is_left(session)?;
        if summary.all_failed() {
            let first = summary.first_failure.clone().unwrap_or_default();
            return Err(Error::AllFailed { first, summary: self.data() });
        }
        let mut msg = summary.sentence();
        if let Some((table, missing)) = summary.partial.first() {
            msg = format!("{msg}; {table}: {missing}");
        }
        if let (true, Some(first)) = (self.is_held(), self.holders.first()) {
            msg = format!(
                "{msg}; {} dead rows can't be removed because of {}",
                text::count(summary.held),
                first.sentence()
            );
        }
        if self.left() > 0 {
            msg = format!("{msg}; {} left for another time", text::tables(self.left()));
        }
        // Nothing at all is not what was wanted, whoever is to blame.
        let stuck = (self.left() > 0 || !summary.skipped.is_empty()) && !summary.changed();
        let no = summary.failed > 0 || !summary.partial.is_empty() || self.is_held() || stuck;
        Ok(Answer { exit: if no { Exit::No } else { Exit::Done }, msg, data: self.data() })
    }

    fn tell_what_is_left(&self, session: &Session) -> Result<(), Error> {
        if self.left() == 0 {
            return Ok(());
        }
        let whole = self.budget.whole().unwrap_or_default();
        let never: Vec<_> = self.rest.iter().filter(|job| job.predicted > whole).collect();
        for job in never.iter().take(MOST) {
            let time = |at: std::time::Duration| text::time(at.as_secs_f64());
            let msg = format!(
                "{} takes about {} and fits into no window of {}",
                job.table.label(),
                time(job.predicted),
                time(whole)
            );
            let mut data = job.table.names();
            data.insert("predicted_ms".into(), json!(job.predicted.as_millis()));
            session.emit.warning("does-not-fit", &msg, Value::Object(data))?;
        }
        let names: Vec<_> =
            self.rest.iter().map(|job| job.table.label()).chain(self.summary.cut.iter().cloned()).collect();
        let msg = format!("{} left; the next window begins with them", text::tables(names.len()));
        let data = json!({"left": names.len(), "tables": &names[..names.len().min(MOST)]});
        Ok(session.emit.warning("tables-left", &msg, data)?)
    }
}
