//! The exit codes, the same for all tools. The doc comment of each variant is the public table.

use std::process::ExitCode;

/// How a tool ended. `result.data.exit` and the process's exit code are always this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, also when it was done already (`changed: false`); the answer is yes.
    Done = 0,
    /// The answer is no: unhealthy, pending, over the threshold.
    No = 1,
    /// Wrong usage.
    Usage = 2,
    /// Failed, and nothing was changed.
    Unchanged = 3,
    /// Failed and undone: the old state is serving.
    Undone = 4,
    /// Failed and not undone: a person is needed; the result says exactly what to run.
    Stuck = 5,
    /// Refused by a safety rule: decide, then pass the named flag.
    Refused = 6,
    /// Docker, PostgreSQL, the balancer or the URL can't be reached, or the configuration is bad.
    Environment = 10,
    /// Another tg tool holds the project's lock.
    Locked = 11,
    /// A deadline passed, as timeout(1) says it.
    Deadline = 124,
    /// Interrupted by SIGINT after finishing or undoing its step.
    Interrupted = 130,
    /// Ended by SIGTERM after finishing or undoing its step.
    Terminated = 143,
}

impl Exit {
    /// The number itself.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.number())
    }
}
