//! What can go wrong with a balancer.

use crate::{Exit, Fault};

/// What can go wrong with a balancer.
#[derive(Debug, thiserror::Error)]
pub enum BalancerError {
    #[error("can't reach the load balancer at {place}: {problem}")]
    /// Nothing answers there.
    Unreachable {
        /// Its address.
        place: String,
        /// What happened.
        problem: String,
    },
    #[error("the load balancer is not prepared: {problem}")]
    /// Its configuration has not what a driver needs.
    NotPrepared {
        /// What is missing.
        problem: String,
        /// The cure.
        hint: String,
    },
    #[error("the load balancer refused {what}: {problem}")]
    /// It did not do what it was told.
    Refused {
        /// What it was told.
        what: String,
        /// What it said.
        problem: String,
    },
    /// Something around it.
    #[error(transparent)]
    Core(#[from] crate::Error),
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
