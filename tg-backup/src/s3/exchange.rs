//! One request, signed and sent, and its answer.

use std::time::Duration;

use rusty_s3::S3Action;
use ureq::http::header::{CONTENT_LENGTH, EXPECT};
use ureq::http::{Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use crate::s3::Bucket;
use crate::s3::address::Address;
use crate::s3::content::{Content, Reader};
use crate::s3::error::Error;
use crate::s3::refusal::Refusal;
use crate::s3::retry::{Trouble, retry};
use crate::s3::skew::TOLERANCE;
use crate::s3::watch::watched;

/// For the name and for the connection, each.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing at all may move. A transfer as a whole takes as long as it takes.
pub(super) const IDLE: Duration = Duration::from_mins(1);
/// A body that is larger waits until the store has agreed to the request, in bytes.
const SMALL: u64 = 64 << 10;

/// What sends requests. It follows no redirects: a signature is good for one host.
pub(super) fn agent(address: &Address, idle: Duration) -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .https_only(!address.is_plain())
        .tls_config(tls)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(idle))
        .timeout_per_write(Some(idle))
        .user_agent(concat!("tg-backup/", env!("CARGO_PKG_VERSION")));
    // A proxy of the environment does not know what is on this host.
    if address.is_plain() { config.proxy(None).build().new_agent() } else { config.build().new_agent() }
}

impl Bucket<'_> {
    /// Asks, and asks again while trouble passes. `of` names the object; `read` takes a success.
    pub(super) fn ask<'s, A: S3Action<'s>, T>(
        &self,
        of: &str,
        action: &mut A,
        content: Content,
        mut read: impl FnMut(Response<Body>) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        retry(self.check, || self.once(of, action, content, &mut read))
    }

    /// Asks once.
    pub(super) fn once<'s, A: S3Action<'s>, T>(
        &self,
        of: &str,
        action: &mut A,
        content: Content,
        mut read: impl FnMut(Response<Body>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let what = format!("{} {of}", A::METHOD);
        let mut reader = content.reader();
        let answered = watched(&self.agent, self.check, || match self.send(action, content, &mut reader) {
            Ok(response) if response.status().is_success() => read(response),
            Ok(response) => Err(self.refused(&what, Refusal::read(A::METHOD, response))),
            Err(e) => Err(self.unreachable(&what, &e)),
        });
        match (answered, reader.failure) {
            (Err(given_up), _) => Err(Trouble::lasting(given_up)),
            (_, Some(failure)) => Err(Trouble::lasting(failure)),
            (Ok(answer), None) => answer,
        }
    }

    /// Signs for now, and sends.
    fn send<'s, A: S3Action<'s>>(
        &self,
        action: &mut A,
        content: Content,
        reader: &mut Reader,
    ) -> Result<Response<Body>, ureq::Error> {
        let url = action.sign(TOLERANCE);
        let mut head = Request::builder().method(A::METHOD.to_str()).uri(url.as_str());
        for (name, value) in action.headers_mut().iter() {
            head = head.header(name, value);
        }
        let Some(bytes) = content.bytes() else { return self.agent.run(head.body(())?) };
        head = head.header(CONTENT_LENGTH, bytes);
        if bytes > SMALL {
            head = head.header(EXPECT, "100-continue");
        }
        self.agent.run(head.body(SendBody::from_reader(reader))?)
    }

    /// A refusal as trouble.
    pub(super) fn refused(&self, what: &str, refusal: Refusal) -> Trouble {
        let passes = refusal.passes();
        let error = Error::refused(what, &self.address.name, refusal);
        if passes { Trouble::passing(error) } else { Trouble::lasting(error) }
    }

    /// An answer that did not come, or broke off.
    pub(super) fn unreachable(&self, what: &str, error: &ureq::Error) -> Trouble {
        let (problem, passes) = match error {
            ureq::Error::Timeout(ureq::Timeout::PerRead | ureq::Timeout::PerWrite) => {
                (format!("nothing moved for {} s", IDLE.as_secs()), true)
            }
            ureq::Error::Timeout(_) => (format!("no connection within {} s", CONNECT.as_secs()), true),
            ureq::Error::HostNotFound => ("its host name is not known".into(), true),
            // A certificate stays as it is.
            ureq::Error::Io(e) => (e.to_string(), e.kind() != std::io::ErrorKind::InvalidData),
            ureq::Error::Protocol(_) | ureq::Error::ConnectionFailed => (error.to_string(), true),
            // These hold the signed URL.
            ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => ("bad URL".into(), false),
            _ => (error.to_string(), false),
        };
        let error =
            Error::Unreachable { what: what.to_owned(), place: self.address.endpoint.clone(), problem };
        if passes { Trouble::passing(error) } else { Trouble::lasting(error) }
    }
}
