//! The journal of a tool that changes something: its own lines, durable before (intent) and after
//! (outcome) each step. Recovery reads it and compares with what Docker and PostgreSQL say now.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Error, atomic_file, state::State};

/// An open journal file, `runs/<run>/<n>-<tool>.jsonl`.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens the next file of a run.
    pub fn create(state: &State, run: &str, tool: &str) -> Result<Self, Error> {
        let dir = state.run_dir(run);
        atomic_file::make_dir(&dir)?;
        let n = numbered(&dir).last().map_or(1, |(n, _)| n + 1);
        let path = dir.join(format!("{n}-{tool}.jsonl"));
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::file(&path, &e))?;
        atomic_file::sync_dir(&dir)?;
        Ok(Journal { file, path })
    }

    /// Appends a line; `durable` makes it survive a power cut before this returns.
    pub fn append(&mut self, line: &str, durable: bool) -> Result<(), Error> {
        self.file
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| if durable { self.file.sync_data() } else { Ok(()) })
            .map_err(|e| Error::file(&self.path, &e))
    }
}

/// The steps of all tools of a run in the order in which they were journaled. A line that a kill
/// cut in half is passed over: its step counts as not ended.
#[must_use]
pub fn steps(state: &State, run: &str) -> Vec<Value> {
    let mut all = lines(state, run);
    all.retain(|line| line["type"] == "step");
    all
}

/// All lines of a run, in the same order.
#[must_use]
pub fn lines(state: &State, run: &str) -> Vec<Value> {
    let files = numbered(&state.run_dir(run)).into_iter().map(|(_, path)| path);
    let texts = files.filter_map(|path| fs::read_to_string(path).ok());
    let parse = |text: String| -> Vec<Value> {
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect()
    };
    texts.flat_map(parse).collect()
}

/// The data of the first or last journaled line of a step in a state.
#[must_use]
pub fn find<'a>(steps: &'a [Value], step: &str, state: &str, last: bool) -> Option<&'a Value> {
    let matches = |line: &&Value| line["data"]["step"] == step && line["data"]["state"] == state;
    let mut hits = steps.iter().filter(matches);
    if last { hits.next_back() } else { hits.next() }.map(|line| &line["data"])
}

fn numbered(dir: &Path) -> Vec<(u32, PathBuf)> {
    let number = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let (n, rest) = name.split_once('-')?;
        (path.extension()? == "jsonl" && !rest.is_empty()).then(|| Some((n.parse().ok()?, path.clone())))?
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.filter_map(|entry| number(entry.path())).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_cut_by_a_kill_counts_as_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().to_owned());
        let mut journal = Journal::create(&state, "r", "tg-x").unwrap();
        journal.append(r#"{"type":"step","data":{"step":"a","state":"started"}}"#, true).unwrap();
        journal.append(r#"{"type":"step","data":{"step":"a","state":"succ"#, false).unwrap();
        let mut second = Journal::create(&state, "r", "tg-y").unwrap();
        second.append(r#"{"type":"step","data":{"step":"a","state":"started","n":2}}"#, true).unwrap();
        let steps = steps(&state, "r");
        assert_eq!(steps.len(), 2);
        assert!(find(&steps, "a", "succeeded", true).is_none());
        assert_eq!(find(&steps, "a", "started", true).unwrap()["n"], 2);
        assert!(find(&steps, "a", "started", false).unwrap()["n"].is_null());
    }
}
