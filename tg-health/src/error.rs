//! What ends tg-health other than an answer.

use serde_json::Value;
use tg_core::{Exit, Fault};

use crate::crash::Crashed;
use crate::report;

/// `target` and the reason why it is not ready.
type Reasons = Vec<(String, String)>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Below this tool.
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    /// The time is over.
    #[error("not ready in time: {}", report::sentence(reasons))]
    NotInTime { reasons: Reasons, summary: Value },
    /// An address that nobody knows, or a certificate that nobody trusts.
    #[error("can't ask: {}", report::sentence(reasons))]
    CannotAsk { reasons: Reasons, summary: Value },
    /// A watch that could not see enough.
    #[error("it can't be told whether all is well: {why}")]
    Inconclusive { why: String, summary: Value },
    /// A container that we wait for has ended.
    #[error("container {} {}", crash.crash.container, crash.crash.how)]
    Crashed { crash: Box<Crashed>, summary: Value },
}

impl Fault for Error {
    fn exit(&self) -> Exit {
        match self {
            Error::Core(error) => error.exit(),
            Error::NotInTime { .. } => Exit::Deadline,
            Error::CannotAsk { .. } => Exit::Environment,
            Error::Inconclusive { .. } => Exit::Unchanged,
            Error::Crashed { .. } => Exit::No,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Core(error) => error.code(),
            Error::NotInTime { .. } => "not-ready-in-time",
            Error::CannotAsk { .. } => "cannot-ask",
            Error::Inconclusive { .. } => "inconclusive",
            Error::Crashed { .. } => "crashed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Core(error) => error.hint(),
            Error::NotInTime { .. } => {
                Some("look at the application's log, or give it longer with --wait=10m".into())
            }
            Error::CannotAsk { .. } => {
                Some("check the target's host name and certificate, or its user and password".into())
            }
            Error::Inconclusive { .. } => {
                Some("see that what is missing can be seen, and watch again".into())
            }
            Error::Crashed { crash, .. } => Some(format!("docker logs {}", crash.crash.container)),
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            Error::Core(error) => error.details(),
            Error::NotInTime { reasons, .. } | Error::CannotAsk { reasons, .. } => {
                Some(report::data(reasons))
            }
            Error::Inconclusive { .. } => None,
            Error::Crashed { crash, .. } => Some(crash.crash.facts()),
        }
    }

    fn summary(&self) -> Option<Value> {
        match self {
            Error::Core(error) => error.summary(),
            Error::NotInTime { summary, .. }
            | Error::CannotAsk { summary, .. }
            | Error::Inconclusive { summary, .. }
            | Error::Crashed { summary, .. } => Some(summary.clone()),
        }
    }
}
