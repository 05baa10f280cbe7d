//! Containers that exist: started, stopped, removed, one or many.

use std::time::Duration;

use bollard::errors::Error as DockerError;
use bollard::query_parameters as query;

use crate::Error;
use crate::deadline::Deadline;
use crate::engine::{ANSWER, Engine, absent, classify};

/// Between the beginnings of two stops.
const STAGGER: Duration = Duration::from_millis(50);

impl Engine {
    /// Stops a container by its own stop signal and waits; its grace is the container's, unless given.
    pub fn stop(&self, id: &str, grace: Option<Duration>) -> Result<(), Error> {
        let mut options = query::StopContainerOptionsBuilder::new();
        if let Some(grace) = grace {
            options = options.t(i32::try_from(grace.as_secs()).unwrap_or(i32::MAX));
        }
        let limit = ANSWER + grace.unwrap_or(Duration::from_mins(10));
        absent(self.ask(limit, self.docker.stop_container(id, Some(options.build())))).map(drop)
    }

    /// Stops containers side by side, each with its own signal and grace. They begin one shortly after
    /// another: what all drop at once, the database has to clear up at once.
    pub fn stop_all(&self, ids: &[&str]) -> Result<(), Error> {
        let stops = ids.iter().zip(0_u32..).map(async |(id, n)| {
            tokio::time::sleep(STAGGER * n).await;
            self.docker.stop_container(id, None::<query::StopContainerOptions>).await
        });
        let limit = ANSWER + Duration::from_mins(10);
        self.all(limit, futures_util::future::join_all(stops))
    }

    /// Removes containers side by side, as [`Self::remove`] does one.
    pub fn remove_all(&self, ids: &[&str]) -> Result<(), Error> {
        let options = query::RemoveContainerOptionsBuilder::new().force(true).build();
        let removals = ids.iter().map(|id| self.docker.remove_container(id, Some(options.clone())));
        match self.all(ANSWER, futures_util::future::join_all(removals)) {
            // Somebody else is at one of them: gone is gone.
            Err(Error::Engine(problem)) if problem.starts_with("409 ") => {
                ids.iter().try_for_each(|id| self.await_gone(id, problem.clone()))
            }
            done => done,
        }
    }

    /// The first failure of many questions; what is not there is no failure.
    fn all(
        &self,
        limit: Duration,
        questions: impl Future<Output = Vec<Result<(), DockerError>>>,
    ) -> Result<(), Error> {
        let answers = self.ask(limit, async { Ok(questions.await) })?;
        for answer in answers {
            absent(answer.map_err(|e| classify(&e)))?;
        }
        Ok(())
    }

    /// Starts containers one after another: side by side they would take no less time, and all processors.
    pub fn start_all(&self, ids: &[&str]) -> Result<(), Error> {
        ids.iter().try_for_each(|id| self.start(id))
    }

    /// Starts a container that exists.
    pub fn start(&self, id: &str) -> Result<(), Error> {
        self.ask(ANSWER, self.docker.start_container(id, None::<query::StartContainerOptions>))
    }

    /// Removes a container by force; one that is gone is fine. Its anonymous volumes stay: whether
    /// they hold something is not for us to know.
    pub fn remove(&self, id: &str) -> Result<(), Error> {
        self.remove_with(id, false)
    }

    /// Removes a container of our own making, with its anonymous volumes.
    pub fn remove_own(&self, id: &str) -> Result<(), Error> {
        self.remove_with(id, true)
    }

    fn remove_with(&self, id: &str, volumes: bool) -> Result<(), Error> {
        let options = query::RemoveContainerOptionsBuilder::new().force(true).v(volumes).build();
        match absent(self.ask(ANSWER, self.docker.remove_container(id, Some(options)))) {
            // Somebody else is at it: gone is gone.
            Err(Error::Engine(problem)) if problem.starts_with("409 ") => self.await_gone(id, problem),
            other => other.map(drop),
        }
    }

    fn await_gone(&self, id: &str, problem: String) -> Result<(), Error> {
        let deadline = Deadline::after(Some(ANSWER));
        while self.inspect(id)?.is_some() {
            if deadline.passed() {
                return Err(Error::Engine(problem));
            }
            deadline.sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}
