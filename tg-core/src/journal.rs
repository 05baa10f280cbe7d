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
        let n = numbered(&dir)?.last().map_or(1, |(n, _)| n + 1);
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
/// cut in half is passed over: its step counts as not ended. A journal that can't be read is an error.
pub fn steps(state: &State, run: &str) -> Result<Vec<Value>, Error> {
    let mut all = lines(state, run)?;
    all.retain(|line| line["type"] == "step");
    Ok(all)
}

/// All lines of a run, in the same order.
pub fn lines(state: &State, run: &str) -> Result<Vec<Value>, Error> {
    let mut lines = Vec::new();
    for (_, path) in numbered(&state.run_dir(run))? {
        let bytes = fs::read(&path).map_err(|e| Error::file(&path, &e))?;
        let whole = bytes.split(|byte| *byte == b'\n');
        lines.extend(whole.filter_map(|line| serde_json::from_slice::<Value>(line).ok()));
    }
    Ok(lines)
}

/// The data of the first or last journaled line of a step in a state.
#[must_use]
pub fn find<'a>(steps: &'a [Value], step: &str, state: &str, last: bool) -> Option<&'a Value> {
    let matches = |line: &&Value| line["data"]["step"] == step && line["data"]["state"] == state;
    let mut hits = steps.iter().filter(matches);
    if last { hits.next_back() } else { hits.next() }.map(|line| &line["data"])
}

/// The journals of a run by their numbers; none where it has no directory yet.
fn numbered(dir: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    let number = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let (n, rest) = name.split_once('-')?;
        (path.extension()? == "jsonl" && !rest.is_empty()).then(|| Some((n.parse().ok()?, path.clone())))?
    };
    let failed = |e: std::io::Error| Error::file(dir, &e);
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        files.extend(number(entry.map_err(failed)?.path()));
    }
    files.sort();
    Ok(files)
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
        let steps = steps(&state, "r").unwrap();
        assert_eq!(steps.len(), 2);
        assert!(find(&steps, "a", "succeeded", true).is_none());
        assert_eq!(find(&steps, "a", "started", true).unwrap()["n"], 2);
        assert!(find(&steps, "a", "started", false).unwrap()["n"].is_null());
    }

    #[test]
    fn a_torn_byte_costs_its_line_and_a_journal_that_can_not_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().to_owned());
        let mut journal = Journal::create(&state, "r", "tg-x").unwrap();
        journal.append(r#"{"type":"step","data":{"step":"a"}}"#, true).unwrap();
        let path = journal.path.clone();
        fs::write(&path, [b"{\"torn\": \"\xff\n".as_slice(), &fs::read(&path).unwrap()].concat()).unwrap();
        assert_eq!(steps(&state, "r").unwrap().len(), 1);
        assert!(steps(&state, "none").unwrap().is_empty(), "no run of this name was ever here");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(steps(&state, "r").is_err());
    }
}
