//! What can go wrong while swapping.

use std::time::Duration;

use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::health::printable;
use tg_core::image::Reference;
use tg_core::passing::Passing;
use tg_core::session::Session;
use tg_core::version::Distance;
use tg_core::{Exit, Fault};

use crate::cli::Accept;
use crate::registry::repository::Repository;
use tg_core::balancer::BalancerError;

/// How many last lines of a container's output tell why it failed.
const LOG_LINES: u32 = 20;
/// Characters of such a line.
const LONGEST_LINE: usize = 500;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SwapError {
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    #[error(transparent)]
    Init(#[from] crate::init::InitError),
    #[error("{0:?} can't be an image tag")]
    NoTag(String),
    #[error("no service {name}; there are {known}")]
    NoService { name: String, known: String },
    #[error("from {from} to {to} is {}", words(*distance))]
    Refused { from: String, to: String, distance: Distance },
    #[error("{}", reasons.join("; "))]
    NotAccepted { needs: Vec<Accept>, missing: Vec<Accept>, reasons: Vec<String> },
    #[error("no image {reference}: {problem}")]
    ImageNotFound { reference: String, problem: String },
    #[error("can't pull {reference}: {problem}")]
    Registry { reference: String, problem: String },
    #[error("{problem}")]
    Unanswered { problem: String, hint: String, summary: serde_json::Value },
    #[error("image {0} is not on this host")]
    ImageMissing(String),
    #[error("after the edit service {service} would start {found}, not {wanted}")]
    EditWithoutEffect { service: String, wanted: String, found: String },
    #[error("{0} of the services did not do as told: {1}")]
    NotAsTold(usize, String),
    #[error("the health check of {container} has failed {streak} times in a row, last with {said:?}")]
    Unhealthy { container: String, streak: i64, said: String },
    #[error("{cause}; that did not pass within {} s", waited.as_secs())]
    DidNotPass { cause: Box<SwapError>, passing: Passing, waited: Duration },
    #[error("{cause}; undone, the old state is back")]
    Undone { cause: Box<SwapError> },
    #[error("{cause}; it could not be undone: {undo}")]
    Stuck { cause: Box<SwapError>, undo: Box<SwapError>, run: String },
    #[error("{container} did not get ready: {reason}")]
    NotReady { container: String, reason: String, logs: Vec<String> },
    #[error("{0} requests in flight on the old instances did not end in time")]
    DrainTimeout(u64),
    #[error("the judge sent the canary back: {0}")]
    Judged(String),
    #[error("a balancer of kind {0} can't give a canary its share")]
    NoShare(&'static str),
    #[error("a balancer of kind {0} does not count what becomes of requests: nobody would judge the canary")]
    NoCount(&'static str),
    #[error("container {container} has no address on a network")]
    NoAddress { container: String },
    #[error("services {0} answer requests; a swap behind a load balancer is for one")]
    SeveralApis(String),
    #[error(transparent)]
    Balancer(#[from] BalancerError),
    #[error("a swap to {version} (run {run}) has not ended")]
    Unfinished { run: String, version: String },
    #[error("the swap of run {0} is done and its old instances are going")]
    TooLate(String),
    #[error("{cause}; undone, the old release serves")]
    UndoneSwap { cause: Box<SwapError>, evidence: serde_json::Value },
    #[error("{cause}; the new release serves, the swap of run {run} has not ended")]
    Paused { cause: Box<SwapError>, run: String },
    #[error("the new release serves, but the old instances could not be removed: {cause}")]
    Leftover { cause: Box<SwapError> },
    #[error("{cause}; the way back failed: {undo}")]
    HalfWay { cause: Box<SwapError>, undo: Box<SwapError>, run: String },
    #[error("the way back failed: {cause}")]
    HalfBack { cause: Box<SwapError>, run: String },
    #[error("the new release serves, but {services} could not be started: {cause}")]
    Workers { cause: Box<SwapError>, services: String },
    #[error("there is no change to go back from")]
    NothingToUndo,
    #[error("run {0} has no record of what ran before it")]
    NoSuchRun(String),
    #[error("the image that service {service} ran ({image_id}) is neither on this host nor in the registry")]
    ImageGone { service: String, image_id: String },
}

impl SwapError {
    /// With the container's last words; their absence must not hide that it failed.
    pub(crate) fn not_ready(
        session: &Session,
        engine: &Engine,
        container: &Container,
        reason: String,
    ) -> Self {
        let logs = engine.logs(&container.id, LOG_LINES).unwrap_or_default();
        let clean = |line: &String| printable(&session.emit.redactor().clean(line), LONGEST_LINE);
        let logs = logs.iter().map(clean).collect();
        SwapError::NotReady { container: container.name.clone(), reason, logs }
    }

    /// Whether it failed for something outside that may pass, and was waited for in vain.
    pub(crate) fn did_not_pass(&self) -> bool {
        matches!(self, SwapError::DidNotPass { .. })
    }

    /// Whether a signal is what ended it.
    pub(crate) fn interrupted(&self) -> bool {
        match self {
            SwapError::Core(tg_core::Error::Interrupted | tg_core::Error::Terminated) => true,
            SwapError::Undone { cause } | SwapError::UndoneSwap { cause, .. } => cause.interrupted(),
            _ => false,
        }
    }
}

fn words(distance: Distance) -> &'static str {
    match distance {
        Distance::Major => "a new major version",
        Distance::Downgrade => "a downgrade",
        Distance::Unknown => "a step of unknown size",
        Distance::Same | Distance::Patch | Distance::Minor => "no risk",
    }
}

/// The command line of this process, with these words accepted too.
fn once_more(missing: &[Accept]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@,+%".contains(c);
    let quoted = |word: String| {
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    let typed = std::env::args_os().skip(1).map(|word| quoted(word.to_string_lossy().into_owned()));
    let more = missing.iter().flat_map(|word| ["--accept".to_owned(), word.name()]);
    std::iter::once(crate::TOOL.to_owned()).chain(typed).chain(more).collect::<Vec<_>>().join(" ")
}

impl Fault for SwapError {
    fn exit(&self) -> Exit {
        match self {
            SwapError::Core(error) => error.exit(),
            SwapError::Init(error) => error.exit(),
            SwapError::NoTag(_) | SwapError::NoService { .. } => Exit::Usage,
            SwapError::Refused { .. } | SwapError::NotAccepted { .. } => Exit::Refused,
            SwapError::Registry { .. }
            | SwapError::Unanswered { .. }
            | SwapError::Unhealthy { .. }
            | SwapError::DidNotPass { .. }
            | SwapError::NoShare(_)
            | SwapError::NoCount(_)
            | SwapError::NoAddress { .. }
            | SwapError::SeveralApis(_) => Exit::Environment,
            SwapError::ImageNotFound { .. }
            | SwapError::ImageMissing(_)
            | SwapError::EditWithoutEffect { .. }
            | SwapError::NotAsTold(..)
            | SwapError::NothingToUndo
            | SwapError::NoSuchRun(_)
            | SwapError::ImageGone { .. }
            | SwapError::NotReady { .. }
            | SwapError::DrainTimeout(_)
            | SwapError::Judged(_)
            | SwapError::Unfinished { .. }
            | SwapError::TooLate(_) => Exit::Unchanged,
            SwapError::Balancer(error) => error.exit(),
            // Neither the release nor the project is at fault: a script may try again.
            SwapError::Undone { cause } if cause.did_not_pass() => Exit::Environment,
            SwapError::Undone { cause } | SwapError::UndoneSwap { cause, .. } => {
                // After the step was undone, as timeout(1) and a signal end.
                if cause.interrupted() || cause.exit() == Exit::Deadline {
                    cause.exit()
                } else {
                    Exit::Undone
                }
            }
            SwapError::Paused { cause, .. } => cause.exit(),
            SwapError::Leftover { cause } if cause.interrupted() => cause.exit(),
            SwapError::Leftover { .. }
            | SwapError::Workers { .. }
            | SwapError::Stuck { .. }
            | SwapError::HalfWay { .. }
            | SwapError::HalfBack { .. } => Exit::Stuck,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            SwapError::Core(error) => error.code(),
            SwapError::Init(error) => error.code(),
            SwapError::NoTag(_) => "no-tag",
            SwapError::NoService { .. } => "no-service",
            SwapError::Refused { distance: Distance::Major, .. } => "major",
            SwapError::Refused { distance: Distance::Downgrade, .. } => "downgrade",
            SwapError::Refused { .. } => "unknown-distance",
            SwapError::NotAccepted { .. } => "not-accepted",
            SwapError::ImageNotFound { .. } => "image-not-found",
            SwapError::Registry { .. } | SwapError::Unanswered { .. } => "registry",
            SwapError::ImageMissing(_) => "image-missing",
            SwapError::EditWithoutEffect { .. } => "edit-without-effect",
            SwapError::NotAsTold(..) => "not-as-told",
            SwapError::Unhealthy { .. } => Passing::Dependency.code(),
            SwapError::DidNotPass { cause, passing, .. } => match **cause {
                SwapError::Core(tg_core::Error::ProgramFailed { .. } | tg_core::Error::Engine(_)) => {
                    passing.code()
                }
                ref cause => cause.code(),
            },
            SwapError::NotReady { .. } => "not-ready",
            SwapError::DrainTimeout(_) => "drain-timeout",
            SwapError::Judged(_) => "canary-judged",
            SwapError::NoShare(_) => "no-share",
            SwapError::NoCount(_) => "no-count",
            SwapError::NoAddress { .. } => "no-address",
            SwapError::SeveralApis(_) => "several-apis",
            SwapError::Balancer(error) => error.code(),
            SwapError::Unfinished { .. } => "unfinished",
            SwapError::TooLate(_) => "too-late",
            SwapError::Undone { cause }
            | SwapError::Stuck { cause, .. }
            | SwapError::UndoneSwap { cause, .. }
            | SwapError::Paused { cause, .. }
            | SwapError::Leftover { cause }
            | SwapError::Workers { cause, .. }
            | SwapError::HalfWay { cause, .. }
            | SwapError::HalfBack { cause, .. } => cause.code(),
            SwapError::NothingToUndo => "nothing-to-undo",
            SwapError::NoSuchRun(_) => "no-such-run",
            SwapError::ImageGone { .. } => "image-gone",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            SwapError::Core(error) => return error.hint(),
            SwapError::Init(error) => return error.hint(),
            SwapError::NoTag(_) => "write the release as in the registry, such as 1.5.0".into(),
            SwapError::NoService { .. } => "name services of the compose file".into(),
            SwapError::Refused { distance: Distance::Major, .. } => {
                "read the migration guide of that version, then pass --accept major".into()
            }
            SwapError::Refused { distance: Distance::Downgrade, .. } => {
                "to undo an upgrade use tg-swap rollback; else pass --accept downgrade".into()
            }
            SwapError::Refused { .. } => "pass --accept unknown if you know what it is".into(),
            SwapError::NotAccepted { missing, .. } => format!("decide, then run: {}", once_more(missing)),
            SwapError::ImageNotFound { .. } => {
                "check the version; the registry answered that it has none".into()
            }
            SwapError::Registry { reference, .. } => {
                let host = Repository::parse(&Reference::parse(reference).repository).host;
                format!(
                    "check that the registry is up and that docker is logged in to it: docker login {host}"
                )
            }
            SwapError::Unanswered { hint, .. } => hint.clone(),
            SwapError::ImageMissing(_) => "pull it first: tg-swap pull --to VERSION".into(),
            SwapError::EditWithoutEffect { .. } => {
                "another compose file, env file or the shell overrides the place that was edited".into()
            }
            SwapError::Unhealthy { container, .. } => format!("see docker logs {container}"),
            SwapError::DidNotPass { cause, passing, .. } => {
                return cause.hint().or_else(|| Some(passing.hint().into()));
            }
            SwapError::NotAsTold(..) => "see docker compose ps -a and the containers' logs".into(),
            SwapError::NotReady { .. } => "its last lines are in the result, as error.details.logs".into(),
            SwapError::DrainTimeout(_) => {
                "give them longer with --drain-timeout, or cut them with --on-drain-timeout cut".into()
            }
            SwapError::Judged(_) => "see what the judge said".into(),
            SwapError::NoShare(_) => {
                "leave --canary out, or use a balancer that can; see docs/load-balancers.md".into()
            }
            SwapError::NoCount(_) => "leave --canary out, or give it a --judge".into(),
            SwapError::NoAddress { .. } => "connect it to a network that the load balancer is in".into(),
            SwapError::SeveralApis(_) => "name the one behind the balancer as x-tg.api".into(),
            SwapError::Balancer(error) => return error.hint(),
            SwapError::Unfinished { .. } | SwapError::Paused { .. } => {
                "tg-swap resume goes on with it, tg-swap abort goes back".into()
            }
            SwapError::Workers { services, .. } => {
                format!(
                    "mend what stands above, then run tg-swap start {services}; or go back with tg-swap rollback"
                )
            }
            SwapError::Leftover { .. } => "mend what stands above, then run tg-swap commit".into(),
            SwapError::TooLate(_) => "tg-swap resume ends it; then tg-swap rollback goes back".into(),
            SwapError::HalfWay { .. } | SwapError::HalfBack { .. } => {
                "mend what stands above, then run tg-swap abort: it goes on with the way back".into()
            }
            SwapError::Undone { cause } | SwapError::UndoneSwap { cause, .. } => return cause.hint(),
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
            SwapError::Balancer(error) => error.retryable(),
            SwapError::Init(error) => error.retryable(),
            SwapError::Undone { .. }
            | SwapError::UndoneSwap { .. }
            | SwapError::Unhealthy { .. }
            | SwapError::DidNotPass { .. }
            | SwapError::Registry { .. }
            | SwapError::Unanswered { .. } => true,
            _ => false,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            SwapError::Core(error) => error.details(),
            SwapError::Init(error) => error.details(),
            SwapError::NotReady { container, reason, logs } => {
                Some(serde_json::json!({"container": container, "reason": reason, "logs": logs}))
            }
            SwapError::Undone { cause } | SwapError::UndoneSwap { cause, .. } => cause.details(),
            _ => None,
        }
    }

    fn summary(&self) -> Option<serde_json::Value> {
        match self {
            SwapError::UndoneSwap { evidence, .. } => {
                Some(serde_json::json!({"changed": false, "outcome": "undone", "evidence": evidence}))
            }
            SwapError::NotAccepted { needs, .. } => {
                Some(serde_json::json!({"needs": needs.iter().map(|word| word.name()).collect::<Vec<_>>()}))
            }
            SwapError::Core(error) => error.summary(),
            SwapError::Unanswered { summary, .. } => Some(summary.clone()),
            _ => None,
        }
    }
}
