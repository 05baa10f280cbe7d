//! Maintenance that did not fit into one window: what was begun, so that the next window goes on.
//!
//! What is done is what the server says was done since the beginning: a kill at any moment loses nothing.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tg_core::state::State;
use tg_core::{Error, atomic_file};

use crate::statement::Action;
use crate::table::Table;

/// The file in the state directory; it is there while there is something left.
const FILE: &str = "vacuum-cycle.json";

/// One time round all tables, in as many windows as it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cycle {
    /// Of which database.
    place: String,
    /// When it began, in seconds since 1970 by the server's clock.
    since: f64,
    /// What is done to each table.
    action: String,
    /// So many windows it has had, this one too.
    pub(crate) windows: u32,
}

impl Cycle {
    /// Goes on with what was begun, or begins. `now`: by the server's clock.
    pub(crate) fn join(state: &State, place: &str, action: Action, now: f64) -> Self {
        let text = std::fs::read_to_string(path(state)).unwrap_or_default();
        let begun = serde_json::from_str::<Cycle>(&text)
            .ok()
            .filter(|cycle| cycle.place == place && cycle.action == action.name() && cycle.since <= now);
        match begun {
            Some(cycle) => Cycle { windows: cycle.windows + 1, ..cycle },
            None => Cycle { place: place.into(), since: now, action: action.name().into(), windows: 1 },
        }
    }

    /// Whether a table was done since it began, all of what is done to it. Autovacuum freezes but what is old.
    pub(crate) fn has_done(&self, table: &Table, action: Action) -> bool {
        let since = |at: Option<f64>| at.is_some_and(|at| at >= self.since);
        let vacuumed = match action {
            Action::Analyze => true,
            Action::Vacuum => since(table.vacuumed),
            Action::Freeze => since(table.by_statement),
        };
        vacuumed && since(table.analyzed)
    }

    /// Remembers that there is something left.
    pub(crate) fn keep(&self, state: &State) -> Result<(), Error> {
        state.create()?;
        let text =
            serde_json::to_vec(self).map_err(|e| Error::file(path(state), &std::io::Error::other(e)))?;
        atomic_file::write(&path(state), &text)
    }

    /// Nothing is left.
    pub(crate) fn end(state: &State) -> Result<(), Error> {
        match std::fs::remove_file(path(state)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file(path(state), &e)),
            _ => Ok(()),
        }
    }
}

fn path(state: &State) -> PathBuf {
    state.root().join(FILE)
}

/// Seconds since 1970 on this host.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_window_goes_on_with_what_was_begun_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().to_owned());
        let first = Cycle::join(&state, "db", Action::Vacuum, 100.0);
        first.keep(&state).unwrap();
        let next = Cycle::join(&state, "db", Action::Vacuum, 200.0);
        assert_eq!((next.since.to_string().as_str(), next.windows), ("100", 2));
        let table = |vacuumed, analyzed| Table { vacuumed, analyzed, ..Table::default() };
        let (late, early) = (Some(150.0), Some(99.0));
        assert!(next.has_done(&table(late, late), Action::Vacuum));
        assert!(!next.has_done(&table(early, late), Action::Vacuum));
        assert!(!next.has_done(&table(None, late), Action::Vacuum));
        assert!(!next.has_done(&table(late, early), Action::Vacuum), "it was cancelled between its halves");
        assert!(!next.has_done(&table(late, None), Action::Analyze), "it was not analysed");
        assert!(next.has_done(&table(None, late), Action::Analyze));
        assert!(!next.has_done(&table(late, late), Action::Freeze), "by autovacuum");
        assert!(next.has_done(&Table { by_statement: late, ..table(late, late) }, Action::Freeze));
        assert_eq!(Cycle::join(&state, "other", Action::Vacuum, 200.0).since.to_string(), "200");
        assert_eq!(Cycle::join(&state, "db", Action::Analyze, 200.0).since.to_string(), "200");
        Cycle::end(&state).unwrap();
        Cycle::end(&state).unwrap();
        assert_eq!(Cycle::join(&state, "db", Action::Vacuum, 300.0).since.to_string(), "300");
    }
}
