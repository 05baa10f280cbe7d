//! A point in time after which nothing is waited for.

use std::time::{Duration, Instant};

use crate::Error;

/// When to give up; `None` inside means never.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    limit: Option<Duration>,
    started: Instant,
}

impl Deadline {
    /// A deadline so long from now; `None` never passes.
    #[must_use]
    pub fn after(limit: Option<Duration>) -> Self {
        Deadline { limit, started: Instant::now() }
    }

    /// What is left; `None` when there is no limit.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.started.elapsed()))
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// The error that says what was being done when it passed.
    #[must_use]
    pub fn error(&self, doing: &str) -> Error {
        Error::Deadline { limit: self.limit.unwrap_or_default(), doing: doing.into() }
    }

    /// Sleeps, but never past the deadline.
    pub fn sleep(&self, nap: Duration) {
        std::thread::sleep(self.left().map_or(nap, |left| nap.min(left)));
    }
}
