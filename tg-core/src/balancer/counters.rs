//! What a balancer has counted.

use serde::{Deserialize, Serialize};

/// Counters since the balancer started. All but the mean grow for as long as it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counters {
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
    #[must_use]
    pub fn plus(self, other: &Counters) -> Counters {
        let requests = self.requests + other.requests;
        let weighed = self.mean_ms * self.requests + other.mean_ms * other.requests;
        Counters {
            mean_ms: weighed.checked_div(requests).unwrap_or(0),
            ..self.with(other, u64::saturating_add)
        }
    }

    /// What was counted since; a balancer that was restarted meanwhile has begun again at nothing.
    #[must_use]
    pub fn since(&self, before: &Counters) -> Counters {
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
