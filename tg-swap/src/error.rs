//! What can go wrong while swapping.

use tg_core::version::Distance;
use tg_core::{Exit, Fault};

#[derive(Debug, thiserror::Error)]
pub(crate) enum SwapError {
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    #[error("{0:?} can't be an image tag")]
    NoTag(String),
    #[error("no service {name}; there are {known}")]
    NoService { name: String, known: String },
    #[error("from {from} to {to} is {}", words(*distance))]
    Refused { from: String, to: String, distance: Distance },
    #[error("no image {reference}: {problem}")]
    ImageNotFound { reference: String, problem: String },
    #[error("can't pull {reference}: {problem}")]
    Registry { reference: String, problem: String },
    #[error("image {0} is not on this host")]
    ImageMissing(String),
    #[error("after the edit service {service} would start {found}, not {wanted}")]
    EditWithoutEffect { service: String, wanted: String, found: String },
    #[error("{0} of the services did not do as told: {1}")]
    NotAsTold(usize, String),
    #[error("{cause}; undone, the old state is back")]
    Undone { cause: Box<SwapError> },
    #[error("{cause}; it could not be undone: {undo}")]
    Stuck { cause: Box<SwapError>, undo: Box<SwapError>, run: String },
    #[error("there is no change to go back from")]
    NothingToUndo,
    #[error("run {0} has no record of what ran before it")]
    NoSuchRun(String),
    #[error("the image that service {service} ran ({image_id}) is neither on this host nor in the registry")]
    ImageGone { service: String, image_id: String },
}

fn words(distance: Distance) -> &'static str {
    match distance {
        Distance::Major => "a new major version",
        Distance::Downgrade => "a downgrade",
        Distance::Unknown => "a step of unknown size",
        Distance::Same | Distance::Patch | Distance::Minor => "no risk",
    }
}

impl Fault for SwapError {
    fn exit(&self) -> Exit {
        match self {
            SwapError::Core(error) => error.exit(),
            SwapError::NoTag(_) | SwapError::NoService { .. } => Exit::Usage,
            SwapError::Refused { .. } => Exit::Refused,
            SwapError::Registry { .. } => Exit::Environment,
            SwapError::ImageNotFound { .. }
            | SwapError::ImageMissing(_)
            | SwapError::EditWithoutEffect { .. }
            | SwapError::NotAsTold(..)
            | SwapError::NothingToUndo
            | SwapError::NoSuchRun(_)
            | SwapError::ImageGone { .. } => Exit::Unchanged,
            SwapError::Undone { .. } => Exit::Undone,
            SwapError::Stuck { .. } => Exit::Stuck,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            SwapError::Core(error) => error.code(),
            SwapError::NoTag(_) => "no-tag",
            SwapError::NoService { .. } => "no-service",
            SwapError::Refused { distance: Distance::Major, .. } => "major",
            SwapError::Refused { distance: Distance::Downgrade, .. } => "downgrade",
            SwapError::Refused { .. } => "unknown-distance",
            SwapError::ImageNotFound { .. } => "image-not-found",
            SwapError::Registry { .. } => "registry",
            SwapError::ImageMissing(_) => "image-missing",
            SwapError::EditWithoutEffect { .. } => "edit-without-effect",
            SwapError::NotAsTold(..) => "not-as-told",
            SwapError::Undone { cause } | SwapError::Stuck { cause, .. } => cause.code(),
            SwapError::NothingToUndo => "nothing-to-undo",
            SwapError::NoSuchRun(_) => "no-such-run",
            SwapError::ImageGone { .. } => "image-gone",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            SwapError::Core(error) => return error.hint(),
            SwapError::NoTag(_) => "write the release as in the registry, such as 1.5.0".into(),
            SwapError::NoService { .. } => "name services of the compose file".into(),
            SwapError::Refused { distance: Distance::Major, .. } => {
                "read the migration guide of that version, then pass --accept major".into()
            }
            SwapError::Refused { distance: Distance::Downgrade, .. } => {
                "to undo an upgrade use tg-swap rollback; else pass --accept downgrade".into()
            }
            SwapError::Refused { .. } => "pass --accept unknown if you know what it is".into(),
            SwapError::ImageNotFound { .. } => {
                "check the version; the registry answered that it has none".into()
            }
            SwapError::Registry { .. } => {
                "check that the registry is up and that docker is logged in to it".into()
            }
            SwapError::ImageMissing(_) => "pull it first: tg-swap pull --to VERSION".into(),
            SwapError::EditWithoutEffect { .. } => {
                "another compose file, env file or the shell overrides the place that was edited".into()
            }
            SwapError::NotAsTold(..) => "see docker compose ps -a and the containers' logs".into(),
            SwapError::Undone { cause } => return cause.hint(),
            SwapError::Stuck { run, .. } => format!("run tg-swap rollback --to-run {run}"),
            SwapError::NothingToUndo => {
                "tg-swap status shows what runs; .tg/history.jsonl what was changed".into()
            }
            SwapError::NoSuchRun(_) => "the runs stand in .tg/history.jsonl".into(),
            SwapError::ImageGone { .. } => "pull or load that image, then run the same command again".into(),
        })
    }

    fn retryable(&self) -> bool {
        match self {
            SwapError::Core(error) => error.retryable(),
            SwapError::Undone { .. } | SwapError::Registry { .. } => true,
            _ => false,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            SwapError::Core(error) => error.details(),
            _ => None,
        }
    }
}
