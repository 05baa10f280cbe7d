//! Containers that exist: started, stopped, removed, one or many.

use std::time::Duration;

use bollard::query_parameters as query;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::Error;
use crate::deadline::Deadline;
use crate::engine::{ANSWER, Engine, absent, classify, conflict};

/// How long one that stops may hold up the next.
const STAGGER: Duration = Duration::from_millis(250);

impl Engine {
    /// Stops a container by its own stop signal and waits; its grace is the container's, unless given.
    pub fn stop(&self, id: &str, grace: Option<Duration>) -> Result<(), Error> {
        let mut options = query::StopContainerOptionsBuilder::new();
        if let Some(grace) = grace {
            options = options.t(i32::try_from(grace.as_secs()).unwrap_or(i32::MAX));
        }
        let limit = ANSWER + grace.unwrap_or(Duration::from_mins(10));
        absent(self.act(limit, self.docker.stop_container(id, Some(options.build())))).map(drop)
    }

    /// Stops containers, each with its own signal and grace: one after another where they end at once,
    /// side by side where they take longer. What all drop in one moment, the database and the kernel
    /// have to clear up in one moment, beside those that serve.
    pub fn stop_all(&self, ids: &[&str]) -> Result<(), Error> {
        let limit = ANSWER + Duration::from_mins(10);
        let answers = self.act(limit, async {
            let (mut stops, mut answers) = (FuturesUnordered::new(), Vec::new());
            for id in ids {
                stops.push(self.docker.stop_container(id, None::<query::StopContainerOptions>));
                let ended = async {
                    while let Some(answer) = stops.next().await {
                        answers.push(answer);
                    }
                };
                tokio::time::timeout(STAGGER, ended).await.ok();
            }
            answers.extend(stops.collect::<Vec<_>>().await);
            Ok(answers)
        })?;
        answers.into_iter().try_for_each(|answer| absent(answer.map_err(|e| classify(&e))).map(drop))
    }

    /// Removes containers one after another, as [`Self::remove`] does; the first failure, after all
    /// have been tried.
    pub fn remove_all(&self, ids: &[&str]) -> Result<(), Error> {
        let tried: Vec<_> = ids.iter().map(|id| self.remove(id)).collect();
        tried.into_iter().collect()
    }

    /// Starts containers one after another: side by side they would take no less time, and all processors.
    pub fn start_all(&self, ids: &[&str]) -> Result<(), Error> {
        ids.iter().try_for_each(|id| self.start(id))
    }

    /// Starts a container that exists.
    pub fn start(&self, id: &str) -> Result<(), Error> {
        self.act(ANSWER, self.docker.start_container(id, None::<query::StartContainerOptions>))
    }

    /// Ends a container at once, as a power cut would; one that is gone is fine.
    pub fn kill(&self, id: &str) -> Result<(), Error> {
        match absent(self.act(ANSWER, self.docker.kill_container(id, None::<query::KillContainerOptions>))) {
            // It has ended by itself.
            Err(Error::Engine(problem)) if conflict(&problem) => Ok(()),
            other => other.map(drop),
        }
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
        match absent(self.act(ANSWER, self.docker.remove_container(id, Some(options)))) {
            // Somebody else is at it: gone is gone.
            Err(Error::Engine(problem)) if conflict(&problem) => self.await_gone(id, problem),
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
