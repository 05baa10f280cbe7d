//! What can go wrong while HAProxy is put in front of a project, or taken away.

use std::path::PathBuf;

use tg_core::{Exit, Fault};

#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    #[error("{problem}")]
    Refused { code: &'static str, problem: String, hint: String },
    #[error("Docker Compose is {0}; {oldest} or later is needed", oldest = super::OLDEST_COMPOSE)]
    OldCompose(String),
    #[error("service {service} publishes its port {port}, and its health is asked for at port {health_port}")]
    HealthPort { service: String, port: u16, health_port: u16 },
    #[error("something listens on 127.0.0.1:{0}, where HAProxy's runtime API shall be")]
    PortTaken(u16),
    #[error("{0} exists already, with other content")]
    FileExists(PathBuf),
    #[error("{} was changed since tg-swap init", paths(.0))]
    ChangedSince(Vec<PathBuf>),
    #[error("with the new files, docker compose config says {0}")]
    NotAsMeant(String),
    #[error("{cause}; undone, the files are as before")]
    Undone { cause: Box<InitError> },
    #[error("{cause}; it could not be undone: {undo}")]
    Stuck { cause: Box<InitError>, undo: Box<InitError> },
}

fn paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl InitError {
    pub(super) fn refused(code: &'static str, problem: String, hint: impl Into<String>) -> Self {
        InitError::Refused { code, problem, hint: hint.into() }
    }
}

impl Fault for InitError {
    fn exit(&self) -> Exit {
        match self {
            InitError::Core(error) => error.exit(),
            InitError::Refused { .. } | InitError::FileExists(_) | InitError::ChangedSince(_) => {
                Exit::Refused
            }
            InitError::OldCompose(_) | InitError::HealthPort { .. } | InitError::PortTaken(_) => {
                Exit::Environment
            }
            InitError::NotAsMeant(_) => Exit::Unchanged,
            InitError::Undone { .. } => Exit::Undone,
            InitError::Stuck { .. } => Exit::Stuck,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            InitError::Core(error) => error.code(),
            InitError::Refused { code, .. } => code,
            InitError::OldCompose(_) => "old-compose",
            InitError::HealthPort { .. } => "health-port",
            InitError::PortTaken(_) => "port-taken",
            InitError::FileExists(_) => "file-exists",
            InitError::ChangedSince(_) => "changed-since",
            InitError::NotAsMeant(_) => "not-as-meant",
            InitError::Undone { cause } | InitError::Stuck { cause, .. } => cause.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            InitError::Core(error) => return error.hint(),
            InitError::Refused { hint, .. } => hint.clone(),
            InitError::OldCompose(_) => "install a newer docker-compose-plugin".into(),
            InitError::HealthPort { port, .. } => {
                format!("set x-tg.health_port to {port} if its health can be asked for there")
            }
            InitError::PortTaken(_) => "name a free port with --admin-port".into(),
            InitError::FileExists(_) => {
                "move it away; if tg-swap init made it, tg-swap init --undo takes it back".into()
            }
            InitError::ChangedSince(_) => {
                "put back what the diff shows, or take the balancer out by hand".into()
            }
            InitError::NotAsMeant(_) => "see what another compose file says of the same things".into(),
            InitError::Undone { cause } => return cause.hint(),
            InitError::Stuck { .. } => "run tg-swap init --undo".into(),
        })
    }

    fn retryable(&self) -> bool {
        matches!(self, InitError::Core(error) if error.retryable())
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            InitError::Core(error) => error.details(),
            _ => None,
        }
    }
}
