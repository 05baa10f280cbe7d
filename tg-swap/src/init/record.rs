//! What init made, remembered in the state directory so that it can be taken back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tg_core::state::State;
use tg_core::{Error, atomic_file};

use super::change;
use super::listing::Entry;

/// Written before the first file, so that a run that was killed can be taken back, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub made: Vec<Made>,
    pub listed: Option<Entry>,
}

/// A file that was not there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// Relative to the project's directory.
    pub path: PathBuf,
    pub text: String,
}

impl Record {
    /// The record, if init was applied.
    pub(super) fn read(state: &State) -> Result<Option<Self>, Error> {
        let path = file(state);
        let parse = |text: String| {
            serde_json::from_str(&text).map_err(|e| Error::File {
                path: path.clone(),
                problem: format!("not a record of tg-swap init: {e}"),
            })
        };
        change::read(&path)?.map(parse).transpose()
    }

    /// With what is made now; what a killed run made before stays.
    pub(super) fn with(mut self, made: Vec<Made>, listed: Option<Entry>) -> Self {
        self.made.retain(|old| made.iter().all(|new| new.path != old.path));
        self.made.extend(made);
        self.listed = listed.or(self.listed);
        self
    }

    /// Writes it durably.
    pub(super) fn write(&self, state: &State) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        atomic_file::write(&file(state), text.as_bytes())
    }

    /// Removes it: there is nothing to take back any more.
    pub(super) fn forget(state: &State) -> Result<(), Error> {
        let path = file(state);
        std::fs::remove_file(&path).map_err(|e| Error::file(&path, &e))?;
        atomic_file::sync_dir(state.root())
    }
}

fn file(state: &State) -> PathBuf {
    state.root().join("init.json")
}
