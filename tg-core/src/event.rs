//! One line of output: a fixed header, then `type`, `msg` for people, and `data`.
//! The contract in prose is `docs/events.md`; `tests/contract.rs` re-declares it by hand.

use serde::Serialize;
use serde_json::Value;

/// The version of the wire format; moves only on a breaking change.
pub const WIRE_VERSION: u8 = 1;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// First line, once.
    Start,
    /// A change, before and after it.
    Step,
    /// One row of the answer.
    Record,
    /// Long work, at most once a second.
    Progress,
    /// Something that a person should know.
    Warning,
    /// Last line, exactly once.
    Result,
}

/// The six states of a step: an intent log, not a debug log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// About to be done.
    Started,
    /// Done.
    Succeeded,
    /// Not done.
    Failed,
    /// About to be taken back.
    UndoStarted,
    /// Taken back.
    UndoFinished,
    /// Could not be taken back: a person is needed.
    UndoFailed,
}

/// A line as it stands on the wire.
#[derive(Debug, Serialize)]
pub struct Event<'a> {
    /// [`WIRE_VERSION`].
    pub v: u8,
    /// RFC 3339 in UTC with milliseconds.
    pub ts: String,
    /// The run's identifier, shared by the steps of one procedure.
    pub run: &'a str,
    /// Which tool speaks.
    pub tool: &'a str,
    /// What the line is about.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// For people; never parsed.
    pub msg: &'a str,
    /// For machines.
    pub data: &'a Value,
}

/// The time now as the wire has it.
#[must_use]
pub fn now() -> String {
    humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string()
}
