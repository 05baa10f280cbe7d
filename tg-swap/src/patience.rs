//! What may pass — the engine, the balancer, a health check that misses — is waited for within a step's limit, and told once.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::emitter::Emitter;
use tg_core::passing::Passing;
use tg_core::{Exit, Fault};

use crate::error::SwapError;

/// The least that something away is waited for, however short an instance's own limit is.
const LEAST: Duration = Duration::from_mins(1);
/// The pause before the second try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Tries again for as long as a failure may pass.
pub(crate) struct Patience<'a> {
    emit: &'a Emitter,
    limit: Duration,
    first_pause: Duration,
    /// What the user has been told of.
    told: RefCell<Vec<Passing>>,
}

impl<'a> Patience<'a> {
    /// For steps in which an instance may take so long to get ready.
    pub(crate) fn new(emit: &'a Emitter, ready_timeout: Duration) -> Self {
        Patience { emit, limit: LEAST.max(ready_timeout), first_pause: FIRST_PAUSE, told: RefCell::default() }
    }

    /// The answer, or the failure that stays, or the one that did not pass in time. `check` ends the wait when the user or
    /// the deadline wants that; `may_pass` knows more of a failure than its words say.
    pub(crate) fn outlast<T>(
        &self,
        check: &dyn Fn(&str) -> Result<(), SwapError>,
        may_pass: &dyn Fn(&SwapError) -> Option<Passing>,
        mut ask: impl FnMut() -> Result<T, SwapError>,
    ) -> Result<T, SwapError> {
        let begun = Instant::now();
        let mut pause = self.first_pause;
        loop {
            let cause = match ask() {
                Ok(answer) => return Ok(answer),
                Err(cause) => cause,
            };
            let Some(passing) = may_pass(&cause) else { return Err(cause) };
            let limit = passing.at_most().map_or(self.limit, |most| most.min(self.limit));
            let waited = begun.elapsed();
            if waited >= limit {
                return Err(SwapError::DidNotPass { cause: Box::new(cause), passing, waited });
            }
            self.tell(passing, &cause, limit)?;
            check("waiting for what may pass")?;
            std::thread::sleep(pause.min(limit.saturating_sub(waited)));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn tell(&self, passing: Passing, cause: &SwapError, limit: Duration) -> Result<(), SwapError> {
        if self.told.borrow().contains(&passing) {
            return Ok(());
        }
        self.told.borrow_mut().push(passing);
        let msg = format!("{cause}; trying again for up to {} s", limit.as_secs());
        let data = json!({"reason": cause.to_string(), "limit_ms": limit.as_millis()});
        Ok(self.emit.warning(passing.code(), &msg, data)?)
    }
}

/// Why a failure may pass, by its kind and its words.
pub(crate) fn may_pass(error: &SwapError) -> Option<Passing> {
    match error {
        // It has been waited for.
        SwapError::DidNotPass { .. } => None,
        SwapError::Unhealthy { .. } => Some(Passing::Dependency),
        // A registry that is not there at all is told at once: nothing is changed yet.
        SwapError::Registry { problem, .. } => {
            Passing::said(problem).filter(|_| !problem.contains("connection refused"))
        }
        SwapError::Core(error) if Passing::of(error).is_some() => Passing::of(error),
        other => (other.exit() == Exit::Environment && other.retryable()).then_some(Passing::Away),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tg_core::Error;
    use tg_core::messages::{Messages, Verbosity};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn warnings(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            lines.map(|line| line["data"]["code"].as_str().unwrap().to_owned()).collect()
        }
    }

    fn compose(problem: &str) -> SwapError {
        let (program, status) = ("docker compose".to_owned(), "exit 1".to_owned());
        Error::ProgramFailed { program, status, problem: problem.to_owned() }.into()
    }

    /// What became of answers that come one after another, how often was asked, and what was told.
    fn tried(limit_ms: u64, answers: &[Result<(), &str>]) -> (Result<(), SwapError>, usize, Vec<String>) {
        let lines = Lines::default();
        let emit =
            Emitter::new(Messages::new("tg-swap", Verbosity::Quiet), "r", true, Box::new(lines.clone()));
        let limit = Duration::from_millis(limit_ms);
        let patience =
            Patience { limit, first_pause: Duration::from_millis(1), ..Patience::new(&emit, limit) };
        let mut asked = 0;
        let ended = patience.outlast(&|_| Ok(()), &may_pass, || {
            asked += 1;
            answers[(asked - 1).min(answers.len() - 1)].map_err(compose)
        });
        (ended, asked, lines.warnings())
    }

    const UNHEALTHY: &str = "dependency failed to start: container app-db-1 is unhealthy";

    #[test]
    fn a_dependency_whose_check_misses_is_waited_for_and_told_once() {
        let (ended, asked, told) = tried(60_000, &[Err(UNHEALTHY), Err(UNHEALTHY), Err(UNHEALTHY), Ok(())]);
        assert!(ended.is_ok());
        assert_eq!((asked, told), (4, vec!["dependency-unhealthy".to_owned()]));
    }

    #[test]
    fn what_does_not_pass_in_time_is_the_environment_s_and_names_the_cure() {
        let (ended, asked, _) = tried(10, &[Err(UNHEALTHY)]);
        let error = ended.unwrap_err();
        assert!(asked > 1 && matches!(error, SwapError::DidNotPass { .. }), "{error}");
        assert_eq!((error.exit(), error.code()), (Exit::Environment, "dependency-unhealthy"));
        assert!(error.retryable() && error.hint().unwrap().contains("health check"));
        assert!(error.to_string().contains("app-db-1 is unhealthy"), "{error}");
        assert_eq!(may_pass(&error), None, "whoever waits around it does not wait once more");
    }

    #[test]
    fn what_stays_fails_at_once_and_keeps_its_exit_code() {
        let (ended, asked, told) = tried(60_000, &[Err("no such image: r/app:1.9.0"), Ok(())]);
        assert_eq!(ended.unwrap_err().exit(), Exit::Unchanged);
        assert_eq!((asked, told.len()), (1, 0));
    }

    #[test]
    fn each_kind_is_told_and_a_later_failure_that_stays_ends_the_wait() {
        let held = "Bind for 0.0.0.0:80 failed: port is already allocated";
        let (ended, asked, told) = tried(60_000, &[Err(UNHEALTHY), Err(held), Err("exec format error")]);
        assert!(ended.is_err());
        assert_eq!((asked, told), (3, vec!["dependency-unhealthy".to_owned(), "held".to_owned()]));
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let emit =
            Emitter::new(Messages::new("tg-swap", Verbosity::Quiet), "r", true, Box::new(std::io::sink()));
        let patience = Patience::new(&emit, LEAST);
        let ended: Result<(), _> =
            patience.outlast(&|_| Err(Error::Interrupted.into()), &may_pass, || Err(compose(UNHEALTHY)));
        assert_eq!(ended.unwrap_err().exit(), Exit::Interrupted);
    }

    #[test]
    fn a_registry_that_is_slow_is_asked_again_and_one_that_is_not_there_is_told() {
        let registry =
            |problem: &str| SwapError::Registry { reference: "r/app:1".into(), problem: problem.into() };
        assert_eq!(may_pass(&registry("net/http: TLS handshake timeout")), Some(Passing::Away));
        assert_eq!(may_pass(&registry("dial tcp 10.0.0.1:443: connect: connection refused")), None);
        assert_eq!(may_pass(&registry("unauthorized")), None);
    }
}
