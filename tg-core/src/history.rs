//! One line per finished change, append-only: the record that "document changes" asks for.

use std::fs;

use serde_json::{Map, Value, json};

use crate::{Error, atomic_file, event, lock, state::State};

/// Appends one finished change: what, by whom, and the facts.
pub fn append(
    state: &State,
    run: &str,
    tool: &str,
    action: &str,
    facts: Map<String, Value>,
) -> Result<(), Error> {
    state.create()?;
    let mut line = json!({
        "v": event::WIRE_VERSION, "ts": event::now(), "run": run, "tool": tool, "action": action,
        "user": crate::settings::process_env("SUDO_USER").or_else(|| crate::settings::process_env("USER")),
        "host": lock::hostname(),
    });
    if let Some(map) = line.as_object_mut() {
        map.extend(facts);
    }
    atomic_file::append(&state.history(), &line.to_string())
}

/// All finished changes, oldest first.
#[must_use]
pub fn read(state: &State) -> Vec<Value> {
    let text = fs::read_to_string(state.history()).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
