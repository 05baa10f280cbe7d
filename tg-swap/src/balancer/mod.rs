//! What stands in front of the API, behind one interface: who gets new requests, and what is still
//! in flight. A driver is told the whole set each time, so telling it twice changes nothing.

mod caddy;
mod config;
mod exec;
mod haproxy;
#[cfg(test)]
#[cfg(feature = "lab")]
mod lab;
mod nginx;
pub(crate) mod sockets;
mod weights;

use serde::{Deserialize, Serialize};
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::{Exit, Fault, Session};

pub(crate) use config::Config;

/// An instance of the API as a balancer reaches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Instance {
    /// The container's name, by which Docker's DNS finds it; it outlives a change of address.
    pub name: String,
    /// Its address now.
    pub address: String,
    /// The port on which it answers.
    pub port: u16,
}

/// What a balancer shall do with an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Duty {
    /// Gets new requests, as many as any other that serves.
    Serve,
    /// Gets this share of all new requests, in per cent: a canary.
    Share(u8),
    /// Known and checked, but gets no new request; those in flight end.
    Rest,
}

/// An instance and its duty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Post {
    pub instance: Instance,
    pub duty: Duty,
}

/// What a driver can do; the swap adapts to it and says what it could not measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "a list of independent abilities is what this is")]
pub(crate) struct Abilities {
    /// Takes an instance in without cutting connections.
    pub add: bool,
    /// Checks an instance itself before it gets requests.
    pub check: bool,
    /// Says by itself whether an instance still gets new requests.
    pub acknowledge: bool,
    /// Counts what is in flight.
    pub measure: bool,
    /// Gives an instance a share of the requests.
    pub share: bool,
    /// Counts requests and failures.
    pub count: bool,
    /// The set outlives a restart of the balancer.
    pub persist: bool,
}

/// What a balancer says of an instance now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// The instance's name.
    pub name: String,
    /// Whether it is in rotation: by order, whatever its health.
    pub takes_new: bool,
    /// The verdict of the balancer's own check; `None` where it has none.
    pub healthy: Option<bool>,
    /// Requests in flight; `None` where the balancer can't tell.
    pub in_flight: Option<u64>,
    /// What it has counted for this instance.
    pub counters: Option<Counters>,
}

impl Seen {
    /// In rotation, and not held back by the balancer's own check.
    pub(crate) fn serves(&self) -> bool {
        self.takes_new && self.healthy != Some(false)
    }
}

/// Counters since the balancer started. All but the mean grow for as long as it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Counters {
    /// Requests that were sent to an instance.
    pub requests: u64,
    /// Answers 500 to 599, the balancer's own among them.
    pub answered_5xx: u64,
    /// Connections to an instance that could not be made.
    pub failed_connections: u64,
    /// Answers of an instance that were cut or malformed.
    pub failed_responses: u64,
    /// Connections that were tried again.
    pub retries: u64,
    /// Requests that went to another instance than at first.
    pub redispatches: u64,
    /// Requests that the client gave up.
    pub aborted_by_client: u64,
    /// Requests that an instance gave up.
    pub aborted_by_server: u64,
    /// Mean time of the last answers, ms.
    pub mean_ms: u64,
}

impl Counters {
    /// Both together; the mean is weighed by requests.
    pub(crate) fn plus(self, other: &Counters) -> Counters {
        let requests = self.requests + other.requests;
        let weighed = self.mean_ms * self.requests + other.mean_ms * other.requests;
        Counters {
            mean_ms: weighed.checked_div(requests).unwrap_or(0),
            ..self.with(other, u64::saturating_add)
        }
    }

    /// What was counted since; a balancer that was restarted meanwhile has begun again at nothing.
    pub(crate) fn since(&self, before: &Counters) -> Counters {
        let restarted = self.requests < before.requests;
        let before = if restarted { Counters::default() } else { *before };
        Counters { mean_ms: self.mean_ms, ..self.with(&before, u64::saturating_sub) }
    }

    fn with(&self, other: &Counters, each: impl Fn(u64, u64) -> u64) -> Counters {
        Counters {
            requests: each(self.requests, other.requests),
            answered_5xx: each(self.answered_5xx, other.answered_5xx),
            failed_connections: each(self.failed_connections, other.failed_connections),
            failed_responses: each(self.failed_responses, other.failed_responses),
            retries: each(self.retries, other.retries),
            redispatches: each(self.redispatches, other.redispatches),
            aborted_by_client: each(self.aborted_by_client, other.aborted_by_client),
            aborted_by_server: each(self.aborted_by_server, other.aborted_by_server),
            mean_ms: self.mean_ms,
        }
    }
}

/// A driver.
pub(crate) trait Balancer {
    /// Its name, as the setting has it.
    fn name(&self) -> &'static str;
    /// What it can do.
    fn abilities(&self) -> Abilities;
    /// Makes the balancer's set exactly this, durable where it can; who is not listed gets nothing
    /// more and is forgotten.
    fn assign(&self, posts: &[Post]) -> Result<(), BalancerError>;
    /// What it says of these instances; one that it does not know is left out.
    fn look(&self, instances: &[Instance]) -> Result<Vec<Seen>, BalancerError>;
    /// What it has counted for all instances together, if it counts.
    fn totals(&self) -> Result<Option<Counters>, BalancerError>;
}

/// What can go wrong with a balancer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BalancerError {
    #[error("can't reach the load balancer at {place}: {problem}")]
    Unreachable { place: String, problem: String },
    #[error("the load balancer is not prepared: {problem}")]
    NotPrepared { problem: String, hint: String },
    #[error("the load balancer refused {what}: {problem}")]
    Refused { what: String, problem: String },
    #[error(transparent)]
    Core(#[from] tg_core::Error),
}

impl Fault for BalancerError {
    fn exit(&self) -> Exit {
        match self {
            BalancerError::Unreachable { .. } | BalancerError::NotPrepared { .. } => Exit::Environment,
            BalancerError::Refused { .. } => Exit::Unchanged,
            BalancerError::Core(error) => error.exit(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            BalancerError::Unreachable { .. } => "balancer-unreachable",
            BalancerError::NotPrepared { .. } => "balancer-not-prepared",
            BalancerError::Refused { .. } => "balancer-refused",
            BalancerError::Core(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            BalancerError::Unreachable { .. } => {
                Some("start the load balancer, or correct x-tg.balancer in the compose file".into())
            }
            BalancerError::NotPrepared { hint, .. } => Some(hint.clone()),
            BalancerError::Refused { .. } => Some("see the load balancer's log".into()),
            BalancerError::Core(error) => error.hint(),
        }
    }

    fn retryable(&self) -> bool {
        match self {
            BalancerError::Unreachable { .. } => true,
            BalancerError::NotPrepared { .. } | BalancerError::Refused { .. } => false,
            BalancerError::Core(error) => error.retryable(),
        }
    }
}

/// The project's balancer; `None` where the API is reached directly.
pub(crate) fn open<'a>(
    session: &'a Session,
    project: &Project,
    engine: &'a Engine,
) -> Result<Option<Box<dyn Balancer + 'a>>, BalancerError> {
    Ok(match Config::read(project)? {
        Config::None => None,
        Config::Haproxy(config) => Some(Box::new(haproxy::Haproxy::new(&config, project)?)),
        Config::Caddy(config) => Some(Box::new(caddy::Caddy::new(&config, project))),
        Config::Nginx(config) => Some(Box::new(nginx::Nginx::new(&config, project, engine)?)),
        Config::Exec(config) => Some(Box::new(exec::Exec::new(&config, project, &session.emit)?)),
    })
}
