//! The errors that all tools share, each with its exit code and its cure.

use std::path::PathBuf;

use crate::{Exit, Fault};

/// What can go wrong below any tool. Messages are lower case, name the thing and end without a stop.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message above a variant says what each of its fields holds")]
pub enum Error {
    /// A setting has a value that it can't have.
    #[error("bad value for {key} (from {origin}): {problem}")]
    Setting { key: String, origin: String, problem: String },
    /// A word on the command line names something that does not exist.
    #[error("{problem}")]
    Usage { problem: String, hint: String },
    /// The Compose project can't be read.
    #[error("can't read the compose project: {problem}")]
    Compose { problem: String, hint: String },
    /// A program of the host is missing or can't be started.
    #[error("can't run {program}: {problem}")]
    Program { program: String, problem: String },
    /// A program of the host ran and failed.
    #[error("{program} failed ({status}): {problem}")]
    ProgramFailed { program: String, status: String, problem: String },
    /// The Docker engine does not answer.
    #[error("can't reach the docker engine: {0}")]
    EngineUnreachable(String),
    /// The Docker engine answered with an error.
    #[error("docker: {0}")]
    Engine(String),
    /// No running container where one is needed.
    #[error("no running container of service {0}")]
    NotRunning(String),
    /// A container that is there and was paused.
    #[error("container {container} of service {service} is paused")]
    Paused { service: String, container: String },
    /// The database does not answer.
    #[error("can't reach the database at {place}: {problem}")]
    DatabaseUnreachable { place: String, problem: String },
    /// The database refused the user, the password or the database's name.
    #[error("the database at {place} refused the connection: {problem}")]
    DatabaseRefused { place: String, problem: String },
    /// The application's own database is not known.
    #[error("it can't be told which database is the application's: {problem}")]
    WhichDatabase { problem: String, hint: String },
    /// A statement failed.
    #[error("sql: {0}")]
    Sql(String),
    /// A file of ours can't be read or written.
    #[error("{path}: {problem}")]
    File { path: PathBuf, problem: String },
    /// A file that must not be changed blindly does not have the form we know.
    #[error("{path}: {problem}")]
    Form { path: PathBuf, problem: String, hint: String },
    /// Another tool holds the project's lock.
    #[error("{} holds the lock", holder.describe())]
    Locked { holder: crate::lock::Holder },
    /// The deadline passed.
    #[error("the deadline of {} passed while {doing}", humantime::format_duration(*limit))]
    Deadline { limit: std::time::Duration, doing: String },
    /// SIGINT.
    #[error("interrupted")]
    Interrupted,
    /// SIGTERM.
    #[error("terminated")]
    Terminated,
}

impl Fault for Error {
    fn exit(&self) -> Exit {
        match self {
            Error::Usage { .. } => Exit::Usage,
            Error::Setting { .. }
            | Error::Compose { .. }
            | Error::Program { .. }
            | Error::EngineUnreachable(_)
            | Error::Form { .. }
            | Error::NotRunning(_)
            | Error::Paused { .. }
            | Error::WhichDatabase { .. }
            | Error::DatabaseUnreachable { .. }
            | Error::DatabaseRefused { .. } => Exit::Environment,
            Error::ProgramFailed { .. } | Error::Engine(_) | Error::Sql(_) | Error::File { .. } => {
                Exit::Unchanged
            }
            Error::Locked { .. } => Exit::Locked,
            Error::Deadline { .. } => Exit::Deadline,
            Error::Interrupted => Exit::Interrupted,
            Error::Terminated => Exit::Terminated,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Setting { .. } => "bad-setting",
            Error::Usage { .. } => "usage",
            Error::Compose { .. } => "compose",
            Error::Program { .. } => "program-missing",
            Error::ProgramFailed { .. } => "program-failed",
            Error::EngineUnreachable(_) => "docker-unreachable",
            Error::Engine(_) => "docker",
            Error::NotRunning(_) => "not-running",
            Error::Paused { .. } => "paused",
            Error::DatabaseUnreachable { .. } => "database-unreachable",
            Error::DatabaseRefused { .. } => "database-refused",
            Error::WhichDatabase { .. } => "which-database",
            Error::Sql(_) => "sql",
            Error::File { .. } => "file",
            Error::Form { .. } => "file-form",
            Error::Locked { .. } => "locked",
            Error::Deadline { .. } => "deadline",
            Error::Interrupted => "interrupted",
            Error::Terminated => "terminated",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Usage { hint, .. }
            | Error::Compose { hint, .. }
            | Error::WhichDatabase { hint, .. }
            | Error::Form { hint, .. } => hint.clone(),
            Error::Setting { key, origin, .. } if origin == crate::settings::DEFAULT => {
                format!("say {key} under x-tg of the compose file")
            }
            Error::Setting { key, .. } => format!("correct {key} where it is set"),
            Error::Program { program, .. } => format!("install {program} or put it in PATH"),
            Error::EngineUnreachable(_) => {
                "start the docker engine, or set DOCKER_HOST, and check that you may use its socket"
                    .into()
            }
            Error::Paused { service, .. } => format!("docker compose unpause {service}"),
            Error::NotRunning(service) => format!("docker compose up -d --no-deps {service}"),
            Error::DatabaseUnreachable { .. } => {
                "start the database service, or name another with --database-url-file".into()
            }
            Error::DatabaseRefused { problem, .. } if problem.contains("pg_hba.conf") => {
                return crate::sql::cure(problem);
            }
            Error::DatabaseRefused { .. } => {
                "check user, password and database name; TG_DATABASE_URL_FILE overrides what the compose file says".into()
            }
            Error::Locked { holder } => format!(
                "wait until it ends; it runs on {} since {}",
                holder.host, holder.since
            ),
            Error::Deadline { .. } => "give it longer with --timeout".into(),
            Error::File { problem, .. } if problem.contains("No space left") => {
                "free disk space, then run the same command again".into()
            }
            Error::ProgramFailed { .. }
            | Error::Engine(_)
            | Error::Sql(_)
            | Error::File { .. }
            | Error::Interrupted
            | Error::Terminated => return None,
        };
        Some(hint)
    }

    fn retryable(&self) -> bool {
        matches!(
            self,
            Error::EngineUnreachable(_)
                | Error::DatabaseUnreachable { .. }
                | Error::NotRunning(_)
                | Error::Paused { .. }
                | Error::Locked { .. }
                | Error::Deadline { .. }
        )
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            Error::Locked { holder } => serde_json::to_value(holder).ok(),
            _ => None,
        }
    }
}

impl Error {
    /// An I/O error at a path.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        Error::File { path: path.into(), problem: error.to_string() }
    }
}
