//! What a run has come to.

use std::time::Instant;

use serde_json::{Value, json};

use crate::analyze::Missing;
use crate::outcome::Outcome;
use crate::proof::Proof;
use crate::statement::Action;
use crate::text;
use crate::verbose::Done;

/// Counts of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    begun: Instant,
    pub(crate) tables: usize,
    pub(crate) vacuumed: usize,
    pub(crate) analyzed: usize,
    pub(crate) skipped: Vec<String>,
    pub(crate) cut: Vec<String>,
    /// Tables of which only a part of what was wanted is known to be done, and what is missing.
    pub(crate) partial: Vec<(String, String)>,
    /// Of them, those that were vacuumed.
    partial_vacuumed: usize,
    pub(crate) failed: usize,
    /// Tables that were analysed alone, by their oids.
    analysed: Vec<(u32, String)>,
    /// Why the first table failed.
    pub(crate) first_failure: Option<String>,
    removed: i64,
    /// Dead rows that somebody could still see.
    pub(crate) held: i64,
    /// The tables that have most of them.
    pub(crate) held_tables: Vec<(String, i64)>,
    freed: i64,
    wal: i64,
    /// Bytes that were read, for the server's pace.
    pub(crate) read: i64,
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
            cut: Vec::new(),
            partial: Vec::new(),
            partial_vacuumed: 0,
            failed: 0,
            analysed: Vec::new(),
            first_failure: None,
            removed: 0,
            held: 0,
            held_tables: Vec::new(),
            freed: 0,
            wal: 0,
            read: 0,
        }
    }

    /// Counts one table.
    pub(crate) fn count(&mut self, proof: &Proof<'_>) {
        let label = proof.table.label();
        match &proof.outcome {
            Outcome::Done(done) => {
                if proof.action == Action::Analyze {
                    self.analyzed += 1;
                    self.analysed.push((proof.table.oid, label.clone()));
                } else {
                    self.vacuumed += 1;
                }
                let shrunk =
                    proof.size_before.zip(proof.size_after).map_or(0, |(before, after)| before - after);
                self.freed += shrunk.max(0);
                self.add(label, done.as_ref());
            }
            Outcome::Partial(done, missing) => {
                self.partial.push((label.clone(), missing.clone()));
                self.partial_vacuumed +=
                    usize::from(proof.halves.vacuumed.as_ref().is_some_and(tg_core::Truth::is_yes));
                self.add(label, done.as_ref());
            }
            Outcome::Skipped(_) => self.skipped.push(label),
            Outcome::Cut(_) => self.cut.push(label),
            Outcome::Failed(reason) => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(|| format!("{label}: {reason}"));
            }
        }
    }

    /// Takes back what was said of tables that were analysed and still lack what was to be made.
    pub(crate) fn still_missing(&mut self, still: &Missing) {
        for (oid, label) in std::mem::take(&mut self.analysed) {
            let Some(seen) = still.get(&oid) else { continue };
            let missing = if *seen {
                "analysed, and the server made no statistics of a column"
            } else {
                "perhaps without statistics still: this role may not read the table, and so not see them"
            };
            self.analyzed -= 1;
            self.partial.push((label, missing.to_owned()));
        }
    }

    /// Adds a vacuum's figures.
    fn add(&mut self, label: String, done: Option<&Done>) {
        let Some(done) = done else { return };
        self.removed += done.removed;
        self.wal += done.wal.unwrap_or(0);
        self.read += done.scanned * crate::table::PAGE;
        self.held += done.held;
        if done.held > 0 {
            self.held_tables.push((label, done.held));
        }
    }

    /// Whether a table failed and nothing was done.
    pub(crate) fn all_failed(&self) -> bool {
        self.failed > 0 && !self.changed()
    }

    /// Whether any table was vacuumed.
    pub(crate) fn any_vacuumed(&self) -> bool {
        self.vacuumed + self.partial_vacuumed > 0
    }

    /// Whether anything was done, or may have been.
    pub(crate) fn changed(&self) -> bool {
        self.done() + self.partial.len() > 0
    }

    /// Tables that are done.
    pub(crate) fn done(&self) -> usize {
        self.vacuumed + self.analyzed
    }

    /// Tables that are done with, in any way, of all.
    pub(crate) fn progress(&self) -> (usize, usize) {
        let ended = self.done() + self.partial.len() + self.skipped.len() + self.cut.len() + self.failed;
        (ended, self.tables)
    }

    /// How long it took until now.
    pub(crate) fn took(&self) -> std::time::Duration {
        self.begun.elapsed()
    }

    /// For the result.
    pub(crate) fn data(&self) -> Value {
        json!({
            "tables": self.tables, "done": self.done(), "vacuumed": self.vacuumed,
            "analyzed": self.analyzed, "partial": self.partial.len(), "skipped": self.skipped.len(), "cut": self.cut.len(),
            "failed": self.failed,
            "removed": self.removed, "not_removable": self.held, "freed_bytes": self.freed, "wal_bytes": self.wal,
            "changed": self.changed(), "duration_ms": self.took().as_millis(),
        })
    }

    /// For people.
    pub(crate) fn sentence(&self) -> String {
        let counts = [
            (self.vacuumed, "vacuumed and analysed"),
            (self.analyzed, "analysed"),
            (self.partial.len(), "only in part"),
            (self.skipped.len(), "skipped"),
            (self.cut.len(), "cancelled"),
            (self.failed, "failed"),
        ];
        let told = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let told = told.collect::<Vec<_>>().join(", ");
        let rows = if self.removed > 0 {
            format!(", {} dead rows removed", text::count(self.removed))
        } else {
            String::new()
        };
        format!(
            "{}: {}{rows} in {:.1} s",
            text::tables(self.tables),
            if told.is_empty() { "nothing to do" } else { &told },
            self.took().as_secs_f64()
        )
    }
}
