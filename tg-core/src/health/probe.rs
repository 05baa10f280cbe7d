//! One `GET` of one health URL, with its manners: no redirects, no proxy, no cache, a fresh
//! connection, a bounded body and a bounded time.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::redact::Redactor;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Error};

use super::expect::Expect;
use super::judge::{Response, judge};
use super::manners::{Book, Manners};
use super::printable::printable;
use super::token::Token;
use super::verdict::Verdict;

/// No health body is larger; what is larger is not read to its end.
const LARGEST_BODY: u64 = 1 << 20;
/// Characters of a place or an error that are repeated.
const LONGEST_TEXT: usize = 200;

/// Asks for readiness.
pub struct Prober {
    agent: Agent,
    authorization: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    expect: Expect,
    redactor: Arc<Redactor>,
}

impl Prober {
    /// A prober that calls itself by this name and sends this token.
    #[must_use]
    pub fn new(user_agent: &str, token: Option<&Token>, expect: Expect, redactor: &Arc<Redactor>) -> Self {
        Self::with_manners(user_agent, token, expect, redactor, Manners::default())
    }

    /// The same, asking in its own way.
    #[must_use]
    pub fn with_manners(
        user_agent: &str,
        token: Option<&Token>,
        expect: Expect,
        redactor: &Arc<Redactor>,
        manners: Manners,
    ) -> Self {
        let mut config = Agent::config_builder();
        if let Some(roots) = manners.roots {
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let config = config
            .http_status_as_error(false)
            // The token is meant for this URL and no other.
            .max_redirects(manners.redirects)
            .redirect_auth_headers(RedirectAuthHeaders::Never)
            // A proxy of the environment knows neither loopback nor the containers' network.
            .proxy(None)
            // A kept connection would be answered by the same instance again.
            .max_idle_connections(0)
            .user_agent(user_agent)
            .accept("application/health+json, application/json, text/plain, */*")
            .build();
        let book = Book { known: manners.resolve, system: DefaultResolver::default() };
        let agent = Agent::with_parts(config, DefaultConnector::default(), book);
        let authorization = token.map(|token| format!("Bearer {}", token.secret()));
        Prober { agent, authorization, headers: manners.headers, expect, redactor: Arc::clone(redactor) }
    }

    /// Asks one URL; an answer after the limit is none.
    #[must_use]
    pub fn probe(&self, url: &str, limit: Duration) -> Verdict {
        let begun = Instant::now();
        let mut verdict = match self.get(url, limit, LARGEST_BODY) {
            Ok(response) => judge(&response, &self.expect),
            Err(error) => unanswered(&error, limit),
        };
        // Tenths of a millisecond are below what a network tells.
        verdict.latency_ms = Some((begun.elapsed().as_secs_f64() * 10_000.0).round() / 10.0);
        verdict
    }

    /// The text at a URL, of at most so many bytes, whatever it says; what its status is or why it can't be had otherwise.
    pub fn text(&self, url: &str, limit: Duration, most: u64) -> Result<String, String> {
        match self.get(url, limit, most) {
            Ok(response) if response.status == 200 => {
                Ok(String::from_utf8_lossy(&response.body).into_owned())
            }
            Ok(response) => Err(format!("status {}", response.status)),
            Err(error) => Err(unanswered(&error, limit).reason.unwrap_or_default()),
        }
    }

    fn get(&self, url: &str, limit: Duration, most: u64) -> Result<Response, Error> {
        let mut request = self
            .agent
            .get(url)
            .config()
            .timeout_global(Some(limit))
            .build()
            .header("Cache-Control", "no-cache")
            .header("Connection", "close");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = request.call()?;
        let status = response.status().as_u16();
        let location = self.header(response.headers(), "location");
        let header_version = self.header(response.headers(), "x-version");
        let encoding = self.header(response.headers(), "content-encoding").filter(|e| e != "identity");
        let bytes = response.body_mut().with_config().limit(most).read_to_vec()?;
        // Before anything is cut: half a secret is not found any more.
        let bytes =
            std::str::from_utf8(&bytes).map_or(bytes.clone(), |t| self.redactor.clean(t).into_bytes());
        let with_token = self.authorization.is_some();
        Ok(Response { status, location, header_version, encoding, body: bytes, with_token })
    }

    fn header(&self, headers: &HeaderMap, name: &str) -> Option<String> {
        let text = self.redactor.clean(headers.get(name)?.to_str().ok()?);
        Some(printable(&text, LONGEST_TEXT)).filter(|text| !text.is_empty())
    }
}

/// Why there is no answer. A name that nobody knows and a certificate that nobody trusts are
/// mistakes of the address, not states of the application.
fn unanswered(error: &Error, limit: Duration) -> Verdict {
    let text = printable(&error.to_string(), LONGEST_TEXT);
    let (reason, environment) = match error {
        Error::Timeout(_) => (format!("no whole answer within {:.1} s", limit.as_secs_f64()), false),
        Error::BodyExceedsLimit(most) => (format!("its body is larger than {most} bytes"), false),
        Error::HostNotFound => ("its host name is not known".to_owned(), true),
        Error::Tls(_) | Error::Rustls(_) | Error::Pem(_) => (format!("TLS: {text}"), true),
        Error::Io(e) if e.kind() == ErrorKind::ConnectionRefused => ("connection refused".to_owned(), false),
        Error::Io(e) if lookup_failed(e) => ("its host name is not known".to_owned(), true),
        // rustls hands its reasons through the transport.
        Error::Io(e) if e.kind() == ErrorKind::InvalidData => {
            (format!("TLS: {}", text.trim_start_matches("io: ")), text.contains("certificate"))
        }
        _ => (text, false),
    };
    Verdict { environment, ..Verdict::no(reason) }
}

/// The standard library has no kind for a failed lookup, only these words.
fn lookup_failed(error: &std::io::Error) -> bool {
    error.to_string().starts_with("failed to lookup address information")
}
