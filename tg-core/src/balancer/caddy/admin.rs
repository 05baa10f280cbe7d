//! Caddy's admin API. <https://caddyserver.com/docs/api>

use std::time::Duration;

use crate::process::tail;
use serde_json::Value;
use ureq::http::{Response, header};
use ureq::{Agent, Body};

use crate::balancer::BalancerError;

/// How long one answer may take; a change is answered when it has been loaded.
const ANSWER: Duration = Duration::from_secs(15);

/// Where the admin API listens.
pub(super) struct Admin {
    url: String,
    agent: Agent,
}

/// What it said.
pub(super) struct Answer {
    pub status: u16,
    /// The hash of what was read, which makes a change conditional on it.
    pub etag: String,
    pub body: String,
}

impl Answer {
    /// What is wrong, in its own words.
    pub(super) fn problem(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let said = body["error"].as_str().map_or_else(|| tail(&self.body), str::to_owned);
        format!("{} {said}", self.status)
    }
}

impl Admin {
    pub(super) fn new(url: &str) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A proxy of the environment knows neither loopback nor the containers' network.
            .proxy(None)
            .max_redirects(0)
            // Caddy replaces its admin listener too when it reloads.
            .max_idle_connections(0)
            .timeout_global(Some(ANSWER))
            .build()
            .new_agent();
        Admin { url: url.trim_end_matches('/').to_owned(), agent }
    }

    pub(super) fn get(&self, path: &str) -> Result<Answer, BalancerError> {
        self.read(self.agent.get(format!("{}{path}", self.url)).call())
    }

    /// Replaces a value that is still as it was when it was read; 412 when it is not.
    pub(super) fn patch(&self, path: &str, etag: &str, body: &Value) -> Result<Answer, BalancerError> {
        let request = self.agent.patch(format!("{}{path}", self.url));
        let request = request.header(header::IF_MATCH, etag).content_type("application/json");
        self.read(request.send(body.to_string()))
    }

    fn read(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Answer, BalancerError> {
        let away =
            |e: ureq::Error| BalancerError::Unreachable { place: self.url.clone(), problem: e.to_string() };
        let mut response = answer.map_err(away)?;
        let status = response.status().as_u16();
        let etag = response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok());
        let etag = etag.unwrap_or_default().to_owned();
        let body = response.body_mut().read_to_string().map_err(away)?;
        if matches!(status, 401 | 403) {
            return Err(BalancerError::NotPrepared {
                problem: format!("its admin API refuses us: {}", tail(&body)),
                hint: "add this address to admin.origins, or make it listen on 0.0.0.0 inside its container and publish the port on loopback".into(),
            });
        }
        Ok(Answer { status, etag, body })
    }
}
