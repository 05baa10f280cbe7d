//! Questions to a registry about one repository, as the OCI Distribution Specification v1.1 has
//! them: <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>.

mod authorization;
mod challenge;
mod credentials;
#[cfg(test)]
mod fake;
mod page;
pub(crate) mod problem;
pub(crate) mod repository;
mod roots;

use std::path::PathBuf;
use std::time::Duration;

use tg_core::deadline::Deadline;
use tg_core::emitter::Emitter;
use tg_core::image::Reference;
use tg_core::session::Session;
use ureq::http::header::WWW_AUTHENTICATE;
use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body};

use crate::registry::problem::{Problem, Trouble};
use crate::registry::repository::Repository;

/// How long one question may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);
/// How many tags a page shall have; registries may give fewer.
const PAGE: u32 = 1000;
/// A registry that has still more pages is going round in circles.
const MOST_PAGES: usize = 200;
/// No page of tags is larger.
const LARGEST_BODY: u64 = 8 << 20;
/// An index of several platforms before the manifest of one: docker keeps the digest of what it pulled.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// One repository of a registry, asked with the credentials that docker has for it.
pub(crate) struct Registry<'a> {
    pub(crate) repository: Repository,
    /// docker's config.json.
    pub(crate) config: Option<PathBuf>,
    pub(crate) emit: &'a Emitter,
    origin: String,
    agent: Agent,
    authorization: Option<String>,
    /// Whether docker had credentials for the authorization.
    pub(crate) known: bool,
    deadline: Deadline,
}

impl<'a> Registry<'a> {
    /// The repository of a reference; a registry on this host or among the insecure ones, as
    /// [`tg_core::engine::Engine::insecure_registries`] lists them, is asked without TLS.
    pub(crate) fn of(session: &'a Session, insecure: &[String], reference: &Reference) -> Self {
        let repository = Repository::parse(&reference.repository);
        let plain = repository.is_here() || insecure.contains(&repository.host);
        Self::new(&session.emit, session.deadline, repository, plain)
    }

    pub(crate) fn new(emit: &'a Emitter, deadline: Deadline, repository: Repository, plain: bool) -> Self {
        let host = repository.answering_host();
        let origin = format!("{}://{host}", if plain { "http" } else { "https" });
        let agent = agent(host, plain);
        let config = credentials::config_file();
        Registry { repository, config, emit, origin, agent, authorization: None, known: false, deadline }
    }

    /// Every tag; none where the registry has no such repository.
    pub(crate) fn tags(&mut self) -> Result<Vec<String>, Problem> {
        self.all_pages().map_err(|trouble| self.problem(trouble))
    }

    /// The digest that a tag or digest has there, if it is there.
    pub(crate) fn digest(&mut self, tag: &str) -> Result<Option<String>, Problem> {
        self.manifest(tag).map_err(|trouble| self.problem(trouble))
    }

    fn problem(&self, trouble: Trouble) -> Problem {
        Problem { host: self.repository.host.clone(), trouble }
    }

    fn all_pages(&mut self) -> Result<Vec<String>, Trouble> {
        #[derive(serde::Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut tags = Vec::new();
        let mut path = format!("/v2/{}/tags/list?n={PAGE}", self.repository.name);
        for _ in 0..MOST_PAGES {
            let mut response = self.ask(&Method::GET, &path)?;
            if response.status() == 404 {
                return Ok(tags);
            }
            let page: Page = read(&mut response)?;
            tags.extend(page.tags.unwrap_or_default());
            match page::next(response.headers()) {
                Some(next) => path = next,
                None => return Ok(tags),
            }
        }
        Err(Trouble::Unreadable(format!("its list of tags has not ended after {MOST_PAGES} pages")))
    }

    fn manifest(&mut self, tag: &str) -> Result<Option<String>, Trouble> {
        let path = format!("/v2/{}/manifests/{tag}", self.repository.name);
        let response = self.ask(&Method::HEAD, &path)?;
        if response.status() == 404 {
            return Ok(None);
        }
        let digest = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        let missing = || Trouble::Unreadable("it tells no Docker-Content-Digest".into());
        digest.map(|digest| Some(digest.to_owned())).ok_or_else(missing)
    }

    /// Asks, and once more where the registry first wants to know who asks. Success and 404 are answers.
    fn ask(&mut self, method: &Method, path: &str) -> Result<Response<Body>, Trouble> {
        let mut response = self.send(method, path)?;
        if response.status() == 401 {
            let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
            let challenges: Vec<&str> = challenges.filter_map(|value| value.to_str().ok()).collect();
            self.authorization = Some(self.authorize(&challenges)?);
            response = self.send(method, path)?;
        }
        match response.status().as_u16() {
            200..=299 | 404 => Ok(response),
            401 | 403 if self.known => Err(Trouble::Refused),
            401 | 403 => Err(Trouble::WantsLogin),
            _ => Err(Trouble::Answer(response.status())),
        }
    }

    fn send(&self, method: &Method, path: &str) -> Result<Response<Body>, Trouble> {
        let url = format!("{}{path}", self.origin);
        self.emit.explain(&format!("asking {method} {url}"));
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("Accept", if *method == Method::HEAD { MANIFESTS } else { "application/json" });
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let request = request.body(()).map_err(|e| Trouble::Unreadable(e.to_string()))?;
        let request = self.agent.configure_request(request).timeout_global(Some(self.limit())).build();
        self.agent.run(request).map_err(|e| Trouble::of(&e))
    }

    /// How long the next question may take.
    pub(crate) fn limit(&self) -> Duration {
        self.deadline.left().map_or(ANSWER, |left| left.min(ANSWER))
    }

    /// Whether passwords may go out without TLS, as to a registry on this host.
    pub(crate) fn is_plain(&self) -> bool {
        self.origin.starts_with("http:")
    }
}

/// What asks a host. It never leaves TLS for a redirect, and takes no credentials along.
pub(crate) fn agent(host: &str, plain: bool) -> Agent {
    let tls = ureq::tls::TlsConfig::builder().root_certs(roots::of(host)).build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .https_only(!plain)
        .tls_config(tls)
        .user_agent(concat!("tg-swap/", env!("CARGO_PKG_VERSION")));
    // A proxy of the environment does not know what is on this host.
    if plain { config.proxy(None).build().new_agent() } else { config.build().new_agent() }
}

/// Reads a JSON body of bounded size.
pub(crate) fn read<T: serde::de::DeserializeOwned>(response: &mut Response<Body>) -> Result<T, Trouble> {
    let bytes = response.body_mut().with_config().limit(LARGEST_BODY).read_to_vec();
    let bytes = bytes.map_err(|e| Trouble::of(&e))?;
    serde_json::from_slice(&bytes).map_err(|e| Trouble::Unreadable(format!("it did not answer in JSON: {e}")))
}
