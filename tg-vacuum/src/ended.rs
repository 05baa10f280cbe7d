//! A statement that has ended, and what it and the server's words say of each of its tables.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::board::Why;
use crate::count::{Change, Look};
use crate::halves::{Halves, Wanted, Words};
use crate::notice::Said;
use crate::queue::Job;
use crate::statement::Action;
use crate::table::Table;
use crate::verbose::{self, Done, Whose};

/// A statement that has ended.
pub(crate) struct Ended<'a> {
    pub(crate) action: Action,
    /// The tables' TOAST was meant too.
    pub(crate) toast: bool,
    pub(crate) answer: Result<(), tg_core::database::QueryError>,
    /// Why it was cancelled, if it was.
    pub(crate) why: Option<Why>,
    pub(crate) took: Duration,
    pub(crate) before: &'a Look,
    /// Who kept rows from being frozen since before the first table, and still does.
    pub(crate) keeper: Option<String>,
}

impl Ended<'_> {
    /// What was done to one of its tables. `told`: its figures, and whether those of its TOAST are among them.
    pub(crate) fn halves(
        &self,
        job: &Job,
        change: Change<'_>,
        told: Option<&(Done, bool)>,
        heard: &Heard<'_>,
    ) -> Halves {
        let table = &job.table;
        let warnings = heard.of(table);
        let words = Words {
            done: told.map(|(done, _)| done),
            toast: told.is_some_and(|(_, toast)| *toast),
            analyzed: self.answer.is_ok() && heard.analyzed.contains(qualified(table).as_str()),
            warnings: &warnings,
        };
        let wanted = Wanted { action: self.action, toast: self.toast, frozen_to: job.frozen_to };
        let mut halves = Halves::of(wanted, change, words);
        if self.answer.is_err() && heard.alone {
            halves.failed();
        }
        halves
    }
}

/// What was said meanwhile.
pub(crate) struct Heard<'a> {
    said: &'a [Said],
    /// Tables whose analysis was begun.
    analyzed: HashSet<&'a str>,
    /// One table was meant, and so by everything.
    pub(crate) alone: bool,
}

impl<'a> Heard<'a> {
    pub(crate) fn new(said: &'a [Said], alone: bool) -> Self {
        Heard { said, analyzed: verbose::analyzed(said), alone }
    }

    /// The warnings that name a table; all of them where it was alone.
    fn of(&self, table: &Table) -> Vec<&'a Said> {
        let names = [format!("\"{}\"", table.name), format!("\"{}\"", qualified(table))];
        let is_its = |said: &Said| self.alone || names.iter().any(|name| said.message.contains(name));
        self.said.iter().filter(|said| said.warning && is_its(said)).collect()
    }

    /// The same in one line.
    pub(crate) fn warnings(&self, table: &Table) -> String {
        self.of(table).iter().map(|said| said.message.as_str()).collect::<Vec<_>>().join("; ")
    }
}

/// What was said of a table and of its TOAST, and whether anything was said of that.
pub(crate) fn told_of(told: &mut HashMap<Whose, Done>, table: &Table) -> Option<(Done, bool)> {
    let mut own = told.remove(&Whose::Table(qualified(table)))?;
    let toast = told.remove(&Whose::ToastOf(table.oid));
    if let Some(toast) = &toast {
        own.add(toast);
    }
    Some((own, toast.is_some()))
}

/// As the server names it, without quotes.
fn qualified(table: &Table) -> String {
    format!("{}.{}", table.schema, table.name)
}
