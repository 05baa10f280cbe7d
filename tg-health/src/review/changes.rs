//! What was changed, by `history.jsonl`.

use serde_json::Value;
use tg_core::state::State;
use tg_core::{clock, history};

use super::entry::{Entry, Severity};

/// One entry a change that ended since, oldest first.
pub(super) fn entries(state: &State, since: u64) -> Vec<Entry> {
    let recent = |line: &Value| line["ts"].as_str().and_then(clock::seconds).is_some_and(|at| at >= since);
    history::read(state).into_iter().filter(recent).map(entry).collect()
}

fn entry(line: Value) -> Entry {
    let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let to = ["to", "version"].iter().map(|key| word(key)).find(|text| !text.is_empty());
    let to = to.map_or_else(String::new, |to| format!(" to {to}"));
    let day = word("ts").chars().take(16).collect::<String>().replace('T', " ");
    let by = Some(word("user"))
        .filter(|user| !user.is_empty())
        .map_or_else(String::new, |user| format!(", by {user}"));
    let msg = format!("{day} {} {}{to}{by}", word("tool"), word("action"));
    Entry::new("changes", "change", Severity::Fine, msg, line)
}
