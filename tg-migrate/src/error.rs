//! What can go wrong while migrating.

use tg_core::{Exit, Fault};

#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    #[error("image {0} is not on this host")]
    ImageMissing(String),
    #[error(
        "container {container} runs {running}, not {wanted}: its migrations are those of another release"
    )]
    OtherRelease { container: String, running: String, wanted: String },
    #[error("the migrator failed ({status}) and the database is as before: {reason}")]
    FailedClean { status: String, reason: String },
    #[error("the migrator failed ({status}) after it had changed the database: {reason}")]
    FailedDirty { status: String, reason: String, run: String },
    #[error("name the run with --run-id or TG_RUN_ID")]
    NoRun,
    #[error("{0:?} can't be an image tag")]
    NoTag(String),
}

impl From<postgres::Error> for MigrateError {
    fn from(error: postgres::Error) -> Self {
        MigrateError::Core(error.into())
    }
}

impl Fault for MigrateError {
    fn exit(&self) -> Exit {
        match self {
            MigrateError::Core(error) => error.exit(),
            MigrateError::ImageMissing(_) | MigrateError::FailedClean { .. } => Exit::Unchanged,
            MigrateError::OtherRelease { .. } => Exit::Refused,
            MigrateError::FailedDirty { .. } => Exit::Stuck,
            MigrateError::NoRun | MigrateError::NoTag(_) => Exit::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            MigrateError::Core(error) => error.code(),
            MigrateError::ImageMissing(_) => "image-missing",
            MigrateError::OtherRelease { .. } => "other-release",
            MigrateError::FailedClean { .. } => "failed-clean",
            MigrateError::FailedDirty { .. } => "failed-dirty",
            MigrateError::NoRun => "no-run",
            MigrateError::NoTag(_) => "no-tag",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            MigrateError::Core(error) => error.hint(),
            MigrateError::ImageMissing(_) => Some("pull it first: tg-swap pull --to VERSION".into()),
            MigrateError::OtherRelease { .. } => {
                Some("leave --exec out: the one-shot service then runs the target release".into())
            }
            MigrateError::FailedClean { .. } => {
                Some("the lines of the migrator above say why; nothing has to be undone".into())
            }
            MigrateError::FailedDirty { run, .. } => {
                Some(format!("put the database back: tg-backup restore --run {run} --accept-data-loss"))
            }
            MigrateError::NoRun => Some("the run stands in every line that the tools print".into()),
            MigrateError::NoTag(_) => Some("write the release as in the registry, such as 1.5.0".into()),
        }
    }

    fn retryable(&self) -> bool {
        match self {
            MigrateError::Core(error) => error.retryable(),
            _ => false,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            MigrateError::Core(error) => error.details(),
            _ => None,
        }
    }
}
