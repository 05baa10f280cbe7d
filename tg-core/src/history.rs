//! One line per finished change, append-only: the record that "document changes" asks for.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use serde_json::{Map, Value, json};

use crate::{Error, event, lock, state::State};

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
    let path = state.history();
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()
    };
    write().map_err(|e| Error::file(&path, &e))
}

/// All finished changes, oldest first.
#[must_use]
pub fn read(state: &State) -> Vec<Value> {
    let text = fs::read_to_string(state.history()).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
