//! What ends tg-vacuum other than an answer.

use serde_json::{Value, json};
use tg_core::{Exit, Fault};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Below this tool.
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    /// A name that no table has.
    #[error("no table is called {name}")]
    NoTable { name: String, like: Vec<String> },
    /// A name that no schema with tables has.
    #[error("no table is in a schema called {name}")]
    NoSchema { name: String },
    /// Maintenance is not welcome now.
    #[error("the window {window} is closed; it opens at {opens}")]
    WindowClosed { window: String, opens: String },
    /// A server that lacks what makes us safe.
    #[error("the server is PostgreSQL {version}; {oldest} or later is needed to skip locked tables")]
    TooOld { version: i32, oldest: i32 },
    /// Nothing is there that writes a table anew beside its users.
    #[error("tables can't be written anew here: {problem}")]
    NoRepack { problem: String },
    /// Coarse statistics would take the place of better ones.
    #[error("the database has statistics, which the first stage would replace by worse ones")]
    HasStatistics,
    /// A server whose concurrent builds may leave rows out.
    #[error("PostgreSQL {version} may leave rows out of an index that is built concurrently")]
    BrokenServer { version: String },
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
            Error::TooOld { .. } | Error::Lost { .. } => Exit::Environment,
            Error::Standby { .. }
            | Error::BrokenServer { .. }
            | Error::HasStatistics
            | Error::NoRepack { .. }
            | Error::WindowClosed { .. } => Exit::Refused,
            Error::Stopped { cause, .. } => cause.exit(),
            Error::NoTable { .. } | Error::NoSchema { .. } | Error::AllFailed { .. } => Exit::Unchanged,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Core(error) => error.code(),
            Error::TooOld { .. } => "server-too-old",
            Error::NoTable { .. } => "no-table",
            Error::NoSchema { .. } => "no-schema",
            Error::WindowClosed { .. } => "window-closed",
            Error::BrokenServer { .. } => "broken-server",
            Error::HasStatistics => "has-statistics",
            Error::NoRepack { .. } => "no-repack",
            Error::Standby { .. } => "standby",
            Error::Stopped { cause, .. } => cause.code(),
            Error::Lost { .. } => "connection-lost",
            Error::AllFailed { .. } => "all-failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Core(error) => error.hint(),
            Error::NoTable { like, .. } if !like.is_empty() => Some(format!("there is {}", like.join(", "))),
            Error::NoTable { .. } | Error::NoSchema { .. } => {
                Some("tg-vacuum --dry-run lists all tables".into())
            }
            Error::WindowClosed { .. } => Some("wait for it, or use --budget".into()),
            Error::TooOld { .. } => Some("upgrade PostgreSQL".into()),
            Error::NoRepack { .. } => {
                Some("tg-vacuum repack --plan names the other ways, and whom they block".into())
            }
            Error::HasStatistics => Some("tg-vacuum analyze --missing makes what there is none of".into()),
            Error::BrokenServer { .. } => Some("update to 14.4 or later first".into()),
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
            Error::Stopped { .. } | Error::Lost { .. } | Error::WindowClosed { .. } => true,
            Error::NoTable { .. }
            | Error::NoSchema { .. }
            | Error::TooOld { .. }
            | Error::BrokenServer { .. }
            | Error::HasStatistics
            | Error::NoRepack { .. }
            | Error::Standby { .. }
            | Error::AllFailed { .. } => false,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            Error::Core(error) => error.details(),
            Error::NoTable { like, .. } => Some(json!({"like": like})),
            Error::WindowClosed { opens, .. } => Some(json!({"opens": opens})),
            _ => None,
        }
    }

    fn summary(&self) -> Option<Value> {
        match self {
            Error::Core(error) => error.summary(),
            Error::Stopped { summary, .. }
            | Error::Lost { summary, .. }
            | Error::AllFailed { summary, .. } => Some(summary.clone()),
            _ => None,
        }
    }
}
