//! What was done to one table, and what came of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::halves::Halves;
use crate::outcome::Outcome;
use crate::statement::Action;
use crate::table::Table;
use crate::text;
use crate::verbose::Done;

/// One table's record.
pub(crate) struct Proof<'a> {
    pub(crate) table: &'a Table,
    pub(crate) action: Action,
    pub(crate) outcome: Outcome,
    /// What was done of what was wanted.
    pub(crate) halves: Halves,
    /// Dead rows afterwards; `None` where the server tells them too late to be true.
    pub(crate) dead: Option<i64>,
    /// Bytes of its rows and of their TOAST, before and afterwards; `None` when the table can't be opened.
    pub(crate) size_before: Option<i64>,
    pub(crate) size_after: Option<i64>,
    pub(crate) took: Duration,
    pub(crate) predicted: Duration,
}

impl Proof<'_> {
    /// For the record.
    pub(crate) fn data(&self) -> Value {
        let mut data = self.table.names();
        let facts = [
            ("action", json!(self.action.name())),
            ("dead_before", json!(self.table.dead)),
            ("dead_after", json!(self.dead)),
            ("size_before", json!(self.size_before)),
            ("size_after", json!(self.size_after)),
            ("duration_ms", json!(self.took.as_millis())),
            ("predicted_ms", json!(self.predicted.as_millis())),
        ];
        data.extend(facts.map(|(key, value)| (key.to_owned(), value)));
        self.halves.put(&mut data);
        match &self.outcome {
            Outcome::Done(done) => data.extend(done.iter().flat_map(Done::data)),
            Outcome::Partial(done, missing) => {
                data.extend(done.iter().flat_map(Done::data));
                data.insert("partial".into(), json!(missing));
            }
            Outcome::Skipped(reason) => drop(data.insert("skipped".into(), json!(reason))),
            Outcome::Cut(why) => drop(data.insert("cut".into(), json!(why.sentence()))),
            Outcome::Failed(reason) => drop(data.insert("failed".into(), json!(reason))),
        }
        Value::Object(data)
    }

    /// For people.
    pub(crate) fn sentence(&self) -> String {
        let label = self.table.label();
        match &self.outcome {
            Outcome::Done(_) if self.action == Action::Analyze => {
                format!("{label}: statistics are new, {:.1} s", self.took.as_secs_f64())
            }
            Outcome::Done(Some(done)) => {
                let mut text = format!("{label}: {} dead rows removed", text::count(done.removed));
                if done.held > 0 {
                    text = format!("{text}, {} not removable yet", text::count(done.held));
                }
                format!(
                    "{text}; {} of {} pages read, {} before, {} after, {:.1} s",
                    text::count(done.scanned),
                    text::count(done.pages),
                    text::bytes(self.size_before),
                    text::bytes(self.size_after),
                    self.took.as_secs_f64()
                )
            }
            Outcome::Done(None) => format!(
                "{label}: {} dead rows before, {} after; {} before, {} after",
                text::count(self.table.dead),
                self.dead.map_or_else(|| "?".into(), text::count),
                text::bytes(self.size_before),
                text::bytes(self.size_after),
            ),
            Outcome::Partial(_, missing) => format!("{label}: {missing}"),
            Outcome::Skipped(reason) => format!("{label}: left as it is: {reason}"),
            Outcome::Cut(why) => format!("{label}: cancelled: {}", why.sentence()),
            Outcome::Failed(reason) => format!("{label}: {reason}"),
        }
    }
}
