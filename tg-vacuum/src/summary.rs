//! What a run has come to.

use std::time::Instant;

use serde_json::{Value, json};

use crate::outcome::Outcome;
use crate::plan::Action;
use crate::table::Table;
use crate::text;

/// Counts of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    begun: Instant,
    pub(crate) tables: usize,
    pub(crate) vacuumed: usize,
    analyzed: usize,
    pub(crate) skipped: Vec<String>,
    pub(crate) failed: usize,
    /// Why the first table failed.
    pub(crate) first_failure: Option<String>,
}

impl Summary {
    /// Nothing done yet, of so many tables.
    pub(crate) fn new(tables: usize) -> Self {
        Summary {
            begun: Instant::now(),
            tables,
            vacuumed: 0,
            analyzed: 0,
            skipped: Vec::new(),
            failed: 0,
            first_failure: None,
        }
    }

    /// Counts one table.
    pub(crate) fn count(&mut self, table: &Table, action: Action, outcome: &Outcome) {
        match (outcome, action) {
            (Outcome::Done, Action::Vacuum) => self.vacuumed += 1,
            (Outcome::Done, Action::Analyze) => self.analyzed += 1,
            (Outcome::Skipped(_), _) => self.skipped.push(table.label()),
            (Outcome::Failed(reason), _) => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(|| format!("{}: {reason}", table.label()));
            }
        }
    }

    /// Whether a table failed and none was done.
    pub(crate) fn all_failed(&self) -> bool {
        self.failed > 0 && self.done() == 0
    }

    fn done(&self) -> usize {
        self.vacuumed + self.analyzed
    }

    /// For the result.
    pub(crate) fn data(&self) -> Value {
        json!({
            "tables": self.tables, "done": self.done(), "vacuumed": self.vacuumed,
            "analyzed": self.analyzed, "skipped": self.skipped.len(), "failed": self.failed,
            "changed": self.done() > 0, "duration_ms": self.begun.elapsed().as_millis(),
        })
    }

    /// For people.
    pub(crate) fn sentence(&self) -> String {
        let counts = [
            (self.vacuumed, "vacuumed and analysed"),
            (self.analyzed, "analysed"),
            (self.skipped.len(), "skipped"),
            (self.failed, "failed"),
        ];
        let told = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let told = told.collect::<Vec<_>>().join(", ");
        let seconds = self.begun.elapsed().as_secs_f64();
        format!(
            "{}: {} in {seconds:.1} s",
            text::tables(self.tables),
            if told.is_empty() { "nothing to do" } else { &told }
        )
    }
}
