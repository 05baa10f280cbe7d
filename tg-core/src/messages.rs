//! Messages for people, on stderr: `tg-swap: error: …`, then `tg-swap: hint: …` with the cure.

use std::io::Write;
use std::sync::Arc;

use crate::redact::Redactor;

/// How much goes to stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors alone.
    Quiet,
    /// Warnings too.
    Normal,
    /// Every outside command.
    Verbose,
}

/// The one writer of stderr.
#[derive(Debug)]
pub struct Messages {
    pub(crate) tool: &'static str,
    verbosity: Verbosity,
    pub(crate) redactor: Arc<Redactor>,
}

impl Messages {
    /// Messages of a tool that knows no secrets yet.
    #[must_use]
    pub fn new(tool: &'static str, verbosity: Verbosity) -> Self {
        Messages { tool, verbosity, redactor: Arc::default() }
    }

    /// A message for those who want to hear this much.
    pub fn say(&self, level: Verbosity, msg: &str) {
        if level <= self.verbosity {
            // Who can't be told does not keep the tool from its work.
            let _ = writeln!(std::io::stderr(), "{}: {}", self.tool, self.redactor.clean(msg));
        }
    }

    /// An error and its cure.
    pub fn error(&self, message: &str, hint: Option<&str>) {
        self.say(Verbosity::Quiet, &format!("error: {message}"));
        if let Some(hint) = hint {
            self.say(Verbosity::Quiet, &format!("hint: {hint}"));
        }
    }
}
