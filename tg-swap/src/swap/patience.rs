//! What is away for a moment — the engine, the balancer — is waited for in the middle of a swap.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::{Error, Exit, Fault};

use crate::error::SwapError;
use crate::swap::Swap;

/// How long something may be away before the swap counts as failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// What the docker program says when the engine, not the command, is the problem.
const AWAY: [&str; 5] = [
    "Cannot connect to the Docker daemon",
    "error during connect",
    "EOF",
    "connection refused",
    "connection reset",
];

impl Swap<'_> {
    /// Asks again for as long as something outside can't be reached.
    pub(super) fn patiently<T>(&self, mut ask: impl FnMut() -> Result<T, SwapError>) -> Result<T, SwapError> {
        let begun = Instant::now();
        loop {
            let error = match ask().map_err(engine_away) {
                Err(error) if error.exit() == Exit::Environment && error.retryable() => error,
                answer => return answer,
            };
            if begun.elapsed() > PATIENCE {
                return Err(error);
            }
            if !self.told.replace(true) {
                let msg = format!("{error}; asking again for up to {} s", PATIENCE.as_secs());
                self.session.emit.warning("away", &msg, json!({"reason": error.to_string()}))?;
            }
            self.check("waiting for what is away")?;
            std::thread::sleep(AGAIN);
        }
    }
}

fn engine_away(error: SwapError) -> SwapError {
    match error {
        SwapError::Core(Error::ProgramFailed { problem, .. })
            if AWAY.iter().any(|words| problem.contains(words)) =>
        {
            Error::EngineUnreachable(problem).into()
        }
        other => other,
    }
}
