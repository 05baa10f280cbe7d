//! The Docker engine behind a blocking façade that owns a current-thread runtime.
//! Never call it from inside another runtime, nor from a callback of the `postgres` crate.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::models::ImageInspect;
use bollard::query_parameters as query;
use futures_util::StreamExt;
use tokio::runtime::Runtime;
use tokio::time::error::Elapsed;

use crate::Error;
use crate::bounds::{Bounds, GRACE};
use crate::container::Container;

/// How long one question to the engine may take; stopping and waiting have their own limits.
pub(crate) const ANSWER: Duration = Duration::from_mins(1);
/// What is being done while an answer is waited for.
const ASKING: &str = "waiting for the docker engine";

/// A connection to the engine that `DOCKER_HOST` names, or the local one.
pub struct Engine {
    pub(crate) docker: Docker,
    runtime: Runtime,
    bounds: Bounds,
}

/// An image on this host.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Image {
    /// `sha256:…` of the configuration.
    pub id: String,
    /// `repository@sha256:…`, as registries know it.
    pub digests: Vec<String>,
    /// Bytes.
    pub size: i64,
    /// `org.opencontainers.image.version`, where the image says it.
    pub version: Option<String>,
}

impl Engine {
    /// Connects and agrees on an API version that both sides speak.
    pub fn connect(bounds: &Bounds) -> Result<Self, Error> {
        let docker = Docker::connect_with_defaults().map_err(|e| Error::EngineUnreachable(reason(&e)))?;
        Self::over(docker, bounds)
    }

    fn over(docker: Docker, bounds: &Bounds) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::EngineUnreachable(e.to_string()))?;
        let docker = runtime.block_on(async {
            let agreed = tokio::time::timeout(ANSWER, docker.negotiate_version());
            match bounds.wait(ASKING, agreed).await? {
                Ok(docker) => docker.map_err(|e| classify(&e)),
                Err(_) => Err(Error::EngineUnreachable("no answer".into())),
            }
        })?;
        Ok(Engine { docker, runtime, bounds: bounds.clone() })
    }

    /// Asks a question that changes nothing: given up when the deadline or the interrupt comes.
    pub(crate) fn ask<T>(
        &self,
        limit: Duration,
        question: impl Future<Output = Result<T, DockerError>>,
    ) -> Result<T, Error> {
        // The timer must be made inside the runtime.
        let answer = self
            .runtime
            .block_on(async { self.bounds.wait(ASKING, tokio::time::timeout(limit, question)).await })?;
        told(answer, limit)
    }

    /// Has a change made, which is waited for beyond the deadline and the interrupt as long as the engine answers at all.
    pub(crate) fn act<T>(
        &self,
        limit: Duration,
        change: impl Future<Output = Result<T, DockerError>>,
    ) -> Result<T, Error> {
        let answer = self.runtime.block_on(async {
            let mut change = pin!(tokio::time::timeout(limit, change));
            loop {
                let why = match self.bounds.wait(ASKING, &mut change).await {
                    Ok(answer) => return Ok(answer),
                    Err(why) => why,
                };
                // One that is silent after its last word was asked all the same: what it does not say, it does not do.
                let alive = tokio::time::timeout(GRACE, self.docker.ping()).await;
                if !alive.is_ok_and(|answer| answer.is_ok()) {
                    return Err(why);
                }
                self.bounds.heard();
            }
        })?;
        told(answer, limit)
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The containers that carry all of these labels, whoever gave them: a container inherits those of its image.
    pub fn labelled(&self, labels: &[String]) -> Result<Vec<Container>, Error> {
        let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
        let options = query::ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.ask(ANSWER, self.docker.list_containers(Some(options)))?;
        let mut containers = Vec::new();
        for id in found.into_iter().filter_map(|c| c.id) {
            // One that went away meanwhile is none.
            if let Some(container) = self.inspect(&id)? {
                containers.push(container);
            }
        }
        containers.sort_by_key(|c| natural(&c.name));
        Ok(containers)
    }

    /// The running containers of a service, without one-off ones.
    pub fn running(&self, project: &str, service: &str) -> Result<Vec<Container>, Error> {
        let mut all = self.containers(project, service)?;
        all.retain(|c| c.running() && !c.one_off);
        Ok(all)
    }

    /// One container, if it is there.
    pub fn inspect(&self, id: &str) -> Result<Option<Container>, Error> {
        let question = self.docker.inspect_container(id, None::<query::InspectContainerOptions>);
        absent(self.ask(ANSWER, question)).map(|found| found.map(Container::from))
    }

    /// The last lines of a container's output.
    pub fn logs(&self, id: &str, lines: u32) -> Result<Vec<String>, Error> {
        let options =
            query::LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let mut stream = self.docker.logs(id, Some(options));
        self.ask(ANSWER, async {
            let mut text = String::new();
            while let Some(chunk) = stream.next().await {
                text.push_str(&chunk?.to_string());
            }
            Ok(text.lines().map(str::to_owned).collect())
        })
    }

    /// Waits until a container has ended; its exit code.
    pub fn wait(&self, id: &str, limit: Duration) -> Result<i64, Error> {
        let mut stream = self.docker.wait_container(id, None::<query::WaitContainerOptions>);
        let answer = self.ask(limit, async {
            match stream.next().await {
                Some(Ok(end)) => Ok(end.status_code),
                Some(Err(DockerError::DockerContainerWaitError { code, .. })) => Ok(code),
                Some(Err(e)) => Err(e),
                None => Ok(0),
            }
        });
        drop(stream);
        answer
    }

    /// An image on this host, by reference or id, if it is there.
    pub fn image(&self, reference: &str) -> Result<Option<Image>, Error> {
        absent(self.ask(ANSWER, self.docker.inspect_image(reference))).map(|found| found.map(Image::from))
    }

    /// Gives an image one more name.
    pub fn tag(&self, id: &str, repository: &str, tag: &str) -> Result<(), Error> {
        let options = query::TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
        self.act(ANSWER, self.docker.tag_image(id, Some(options)))
    }

    /// The digest that the registry has for a reference; the registry is asked by the engine.
    pub fn registry_digest(&self, reference: &str) -> Result<Option<String>, Error> {
        let found = absent(self.ask(ANSWER, self.docker.inspect_registry_image(reference, None)))?;
        Ok(found.and_then(|d| d.descriptor.digest))
    }

    /// Where the engine keeps images, containers and volumes, on its own host.
    pub fn root_directory(&self) -> Result<Option<String>, Error> {
        Ok(self.ask(ANSWER, self.docker.info())?.docker_root_dir)
    }

    /// The registries, as `host` or `host:port`, that the engine was told to trust without TLS.
    pub fn insecure_registries(&self) -> Result<Vec<String>, Error> {
        let info = self.ask(ANSWER, self.docker.info())?;
        let known = info.registry_config.and_then(|config| config.index_configs).unwrap_or_default();
        Ok(known.into_iter().filter(|(_, index)| index.secure == Some(false)).map(|(host, _)| host).collect())
    }
}

/// The engine's answer, or that there was none in time.
fn told<T>(answer: Result<Result<T, DockerError>, Elapsed>, limit: Duration) -> Result<T, Error> {
    match answer {
        Ok(answer) => answer.map_err(|e| classify(&e)),
        Err(_) => Err(Error::EngineUnreachable(format!("no answer within {} s", limit.as_secs()))),
    }
}

impl From<ImageInspect> for Image {
    fn from(inspect: ImageInspect) -> Self {
        let labels = inspect.config.and_then(|c| c.labels).unwrap_or_default();
        Image {
            id: inspect.id.unwrap_or_default(),
            digests: inspect.repo_digests.unwrap_or_default(),
            size: inspect.size.unwrap_or_default(),
            version: labels.get("org.opencontainers.image.version").cloned(),
        }
    }
}

/// A 404 is an answer: not there.
pub(crate) fn absent<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Engine(problem)) if problem.starts_with("404 ") => Ok(None),
        Err(error) => Err(error),
    }
}

/// A 409: not as things are now.
pub(crate) fn conflict(problem: &str) -> bool {
    problem.starts_with("409 ")
}

pub(crate) fn classify(error: &DockerError) -> Error {
    match error {
        DockerError::DockerResponseServerError { status_code, message } => {
            Error::Engine(format!("{status_code} {}", message.trim()))
        }
        DockerError::HyperResponseError { .. }
        | DockerError::HttpClientError { .. }
        | DockerError::HyperLegacyError { .. }
        | DockerError::IOError { .. }
        | DockerError::RequestTimeoutError => Error::EngineUnreachable(reason(error)),
        other => Error::Engine(reason(other)),
    }
}

/// An error with the causes that bollard keeps below it.
fn reason(error: &DockerError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Orders `api-10` after `api-2`.
fn natural(name: &str) -> (String, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem.to_owned(), name[stem.len()..].parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mute::{Mute, on_a_socket};

    const VERSION: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{\"ApiVersion\":\"1.41\"}";

    fn asked(how: Mute, limit: Duration) -> Result<Engine, Error> {
        // Each connection is a new one, so the socket stays until the process ends.
        let path = tempfile::tempdir().unwrap().keep().join("docker.sock");
        on_a_socket(&path, how);
        let docker =
            Docker::connect_with_unix(&path.display().to_string(), 120, bollard::API_DEFAULT_VERSION)
                .unwrap();
        Engine::over(docker, &Bounds::within(limit))
    }

    #[test]
    fn an_engine_that_does_not_answer_is_waited_for_until_the_deadline_and_no_longer() {
        for how in [Mute::Silent, Mute::Drips(b"HTTP/1.1 200 OK\r\nX-A: b\r\n")] {
            let error = asked(how, Duration::from_millis(50)).err().unwrap();
            assert!(matches!(error, Error::Deadline { .. }), "{how:?}: {error}");
        }
    }

    #[test]
    fn an_engine_that_talks_nonsense_is_none() {
        let error = asked(Mute::Says(b"garbage\r\n\r\n"), Duration::from_mins(1)).err().unwrap();
        assert!(matches!(error, Error::EngineUnreachable(_) | Error::Engine(_)), "{error}");
    }

    #[test]
    fn a_change_is_given_up_where_the_engine_has_stopped_answering() {
        let mut engine = asked(Mute::Once(VERSION), Duration::from_mins(1)).unwrap();
        engine.bounds = Bounds::within(Duration::from_millis(50));
        let error = engine.stop("x", None).unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error}");
    }
}
