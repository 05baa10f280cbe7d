//! How a URL is asked: what is sent with the request, whom it trusts, where names lead, and whether it follows.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use ureq::Error;
use ureq::config::Config;
use ureq::http::header::{HeaderName, HeaderValue};
use ureq::http::{Uri, uri::Scheme};
use ureq::tls::{PemItem, RootCerts, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// What differs from one `GET` with the system's roots and its resolver.
#[derive(Clone, Debug, Default)]
pub struct Manners {
    /// More headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Who signs the certificates, instead of the system's roots.
    pub roots: Option<RootCerts>,
    /// Addresses of hosts, instead of what the resolver says.
    pub resolve: Vec<Resolve>,
    /// How many redirects are followed; the token goes to the first place alone.
    pub redirects: u32,
}

/// Where a host and port lead, as `curl --resolve` has it: `host:port:address`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    host: String,
    port: u16,
    address: IpAddr,
}

/// Reads `Name: value`.
pub fn header(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = line.split_once(':').ok_or("no : in it; write it as Name: value")?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|e| e.to_string())?;
    let value = HeaderValue::from_str(value.trim()).map_err(|e| e.to_string())?;
    Ok((name, value))
}

/// The certificates of a PEM file.
pub fn roots(path: &Path) -> Result<RootCerts, String> {
    let text = std::fs::read(path).map_err(|e| e.to_string())?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|e| e.to_string())? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err("no certificate in it (PEM)".into());
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

impl Resolve {
    /// Reads `host:port:address`; an IPv6 address may stand in brackets.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "write it as host:port:address".to_owned();
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        Ok(Resolve {
            host: host.to_lowercase(),
            port: port.parse().map_err(|_| wrong())?,
            address: address.parse().map_err(|_| wrong())?,
        })
    }
}

/// The given addresses first, then the system's resolver.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) known: Vec<Resolve>,
    pub(super) system: DefaultResolver,
}

impl Resolver for Book {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let standard = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let (host, port) =
            (uri.host().unwrap_or_default().to_lowercase(), uri.port_u16().unwrap_or(standard));
        match self.known.iter().find(|known| known.host == host && known.port == port) {
            Some(known) => {
                let mut found = self.empty();
                found.push(SocketAddr::new(known.address, port));
                Ok(found)
            }
            None => self.system.resolve(uri, config, timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_of_either_family_and_must_be_one() {
        assert_eq!(Resolve::parse("Host:80:127.0.0.1").unwrap().host, "host");
        assert_eq!(Resolve::parse("h:80:::1"), Resolve::parse("h:80:[::1]"));
        for bad in ["h:80", "h:x:127.0.0.1", "h:80:there", ""] {
            assert!(Resolve::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_has_a_name_and_a_value_on_one_line() {
        assert_eq!(header("X-Team: maps").unwrap().1, "maps");
        for bad in ["X-Team", ": x", "X Team: x", "X: a\u{0}b"] {
            assert!(header(bad).is_err(), "{bad:?}");
        }
    }
}
