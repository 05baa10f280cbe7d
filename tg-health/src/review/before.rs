//! What earlier reviews have found: `reviews.jsonl` in the state directory, a line each.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tg_core::state::State;
use tg_core::{Error, atomic_file, event};

const FILE: &str = "reviews.jsonl";
/// So many are looked at: a year of weeks.
const MOST: usize = 53;

/// A line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Line {
    ts: String,
    /// Bytes.
    database: Option<i64>,
    /// Of level warn and worse: service, level, signature.
    signatures: Vec<String>,
}

/// What is known from before.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// None without an earlier review: then nothing can be new.
    pub(super) signatures: Option<HashSet<String>>,
    /// When, and how many bytes, oldest first.
    pub(super) database: Vec<(String, i64)>,
}

fn file(state: &State) -> PathBuf {
    state.root().join(FILE)
}

impl Before {
    pub(super) fn read(state: &State) -> Self {
        let text = std::fs::read_to_string(file(state)).unwrap_or_default();
        let lines: Vec<Line> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let last = &lines[lines.len().saturating_sub(MOST)..];
        Before {
            signatures: (!last.is_empty())
                .then(|| last.iter().flat_map(|line| line.signatures.iter().cloned()).collect()),
            database: last.iter().filter_map(|line| Some((line.ts.clone(), line.database?))).collect(),
        }
    }
}

/// Adds a line.
pub(super) fn remember(state: &State, database: Option<i64>, signatures: Vec<String>) -> Result<(), Error> {
    state.create()?;
    let path = file(state);
    let line = Line { ts: event::now(), database, signatures };
    let text = serde_json::to_string(&line).map_err(|e| Error::file(&path, &std::io::Error::other(e)))?;
    atomic_file::append(&path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_known_and_before_the_first_review_nothing_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().join(".tg"));
        assert!(Before::read(&state).signatures.is_none());
        remember(&state, Some(10), vec!["a".into()]).unwrap();
        remember(&state, None, vec!["b".into()]).unwrap();
        let before = Before::read(&state);
        assert_eq!(before.signatures.unwrap().len(), 2);
        assert_eq!(before.database.len(), 1);
    }
}
