//! The state directory, `.tg/` beside the compose file.

use std::path::{Path, PathBuf};

use crate::{Error, atomic_file, lock};

/// Where lock, journals and history live.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
    /// The lock of the project on its engine, whatever directory it is changed from.
    shared_lock: Option<PathBuf>,
}

impl State {
    /// The directory at this path; it is made on the first write.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        State { root, shared_lock: None }
    }

    /// The same for a project, whose changes from other directories are kept apart from ours as well.
    #[must_use]
    pub fn of_project(self, project: &str) -> Self {
        State { shared_lock: Some(lock::shared(project)), ..self }
    }

    /// The lock of the project on its engine.
    #[must_use]
    pub fn shared_lock(&self) -> Option<&Path> {
        self.shared_lock.as_deref()
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

    /// The directory of one run. A run may be named by a manifest or a mark, which somebody else wrote:
    /// what is not part of a run's name is spelt out, so that none leads out of `runs/`.
    #[must_use]
    pub fn run_dir(&self, run: &str) -> PathBuf {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let spelt = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
        let name: String = run.bytes().map(spelt).collect();
        self.root.join("runs").join(if name.is_empty() { "%" } else { &name })
    }

    /// The record of every finished change.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.root.join("history.jsonl")
    }

    /// The swap in hand, if there is one.
    #[must_use]
    pub fn swap(&self) -> PathBuf {
        self.root.join("swap.json")
    }

    /// Containers that a swap keeps for the way back: instances that run and serve nobody, workers that are stopped. Full identifiers.
    #[must_use]
    pub fn resting(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.swap()).unwrap_or_default();
        let swap: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let ids = swap["resting"].as_array().into_iter().flatten();
        ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
    }

    /// What an unfinished procedure of `scripts/` left: which one, to which version, in which phase.
    #[must_use]
    pub fn procedure(&self) -> PathBuf {
        self.root.join("procedure.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_run_leads_out_of_its_directory(run in "[./a-z]{0,12}|.{0,12}") {
            let runs = Path::new("/state/runs");
            let path = State::at("/state".into()).run_dir(&run);
            prop_assert_eq!(path.parent(), Some(runs));
            prop_assert!(path.file_name().is_some());
        }
    }

    #[test]
    fn a_run_s_own_name_is_its_directory_s() {
        let path = State::at("/state".into()).run_dir("01K3ABC-x_1");
        assert_eq!(path, Path::new("/state/runs/01K3ABC-x_1"));
    }
}
