//! What ends tg-vacuum other than an answer.

use serde_json::Value;
use tg_core::{Exit, Fault};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Below this tool.
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    /// A flag of the run, and a subcommand.
    #[error("--analyze-only, --dry-run and --lock-timeout don't go with report, which changes nothing")]
    RunFlags,
    /// A server that lacks what makes us safe.
    #[error("the server is PostgreSQL {version}; {oldest} or later is needed to skip locked tables")]
    TooOld { version: i32, oldest: i32 },
    /// A standby can't be vacuumed.
    #[error("the database at {place} is a standby")]
    Standby { place: String },
    /// A signal or the deadline, between two tables.
    #[error("{cause}; {} of {} tables were done", summary["done"], summary["tables"])]
    Stopped { cause: tg_core::Error, summary: Value },
    /// The server went away.
    #[error("the connection to the database was lost: {problem}")]
    Lost { problem: String, summary: Value },
    /// Not one table could be done.
    #[error("none of {} tables could be done: {first}", summary["tables"])]
    AllFailed { first: String, summary: Value },
}

impl Fault for Error {
    fn exit(&self) -> Exit {
        match self {
            Error::Core(error) => error.exit(),
            Error::RunFlags => Exit::Usage,
            Error::TooOld { .. } | Error::Lost { .. } => Exit::Environment,
            Error::Standby { .. } => Exit::Refused,
            Error::Stopped { cause, .. } => cause.exit(),
            Error::AllFailed { .. } => Exit::Unchanged,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Core(error) => error.code(),
            Error::RunFlags => "usage",
            Error::TooOld { .. } => "server-too-old",
            Error::Standby { .. } => "standby",
            Error::Stopped { cause, .. } => cause.code(),
            Error::Lost { .. } => "connection-lost",
            Error::AllFailed { .. } => "all-failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Core(error) => error.hint(),
            Error::RunFlags => Some("drop the flag, or drop report".into()),
            Error::TooOld { .. } => Some("upgrade PostgreSQL".into()),
            Error::Standby { .. } => Some("run it on the primary; the standby follows by replication".into()),
            Error::Stopped { .. } | Error::Lost { .. } => {
                Some("run it again: what is done already has few dead rows and comes last".into())
            }
            Error::AllFailed { .. } => Some("the records say why for each table".into()),
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Error::Core(error) => error.retryable(),
            Error::Stopped { .. } | Error::Lost { .. } => true,
            Error::RunFlags | Error::TooOld { .. } | Error::Standby { .. } | Error::AllFailed { .. } => false,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            Error::Core(error) => error.details(),
            Error::RunFlags
            | Error::TooOld { .. }
            | Error::Standby { .. }
            | Error::Stopped { .. }
            | Error::Lost { .. }
            | Error::AllFailed { .. } => None,
        }
    }

    fn summary(&self) -> Option<Value> {
        match self {
            Error::Core(error) => error.summary(),
            Error::RunFlags | Error::TooOld { .. } | Error::Standby { .. } => None,
            Error::Stopped { summary, .. }
            | Error::Lost { summary, .. }
            | Error::AllFailed { summary, .. } => Some(summary.clone()),
        }
    }
}
