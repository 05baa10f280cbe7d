//! The state directory, `.tg/` beside the compose file.

use std::path::{Path, PathBuf};

use crate::{Error, atomic_file};

/// Where lock, journals and history live.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
}

impl State {
    /// The directory at this path; it is made on the first write.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        State { root }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the directory.
    pub fn create(&self) -> Result<(), Error> {
        atomic_file::make_dir(&self.root)
    }

    /// The directory of one run.
    #[must_use]
    pub fn run_dir(&self, run: &str) -> PathBuf {
        self.root.join("runs").join(run)
    }

    /// The record of every finished change.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.root.join("history.jsonl")
    }

    /// What an unfinished procedure of `scripts/` left: which one, to which version, in which phase.
    #[must_use]
    pub fn procedure(&self) -> PathBuf {
        self.root.join("procedure.json")
    }
}
