//! Where requests go: plain HTTP on a loopback address, and nothing else. This program is made to hurt what it hits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A checked address and what to write into `Host`.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or("the URL must begin with http://")?;
        let host = rest.strip_suffix('/').unwrap_or(rest);
        if host.contains(['/', '?', '#', '@']) {
            return Err("the URL must end after the port".to_owned());
        }
        // `localhost` is taken for what it must mean; no other name is looked up, because a name could mean anything.
        let address = match host.strip_prefix("localhost") {
            Some("") => SocketAddr::from((Ipv4Addr::LOCALHOST, 80)),
            Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, parse_port(port)?)),
            None => parse_address(host)?,
        };
        if !address.ip().is_loopback() {
            return Err(format!("{} is not a loopback address", address.ip()));
        }
        Ok(Self { address, host: host.to_owned() })
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(|| format!("no port: {text}"))
}

fn parse_address(host: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return Ok(address);
    }
    host.parse::<IpAddr>()
        .map(|ip| SocketAddr::new(ip, 80))
        .map_err(|_| format!("{host} is not an address; only loopback addresses are allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_taken() {
        for url in ["http://127.0.0.1:3000", "http://localhost:3000/", "http://[::1]:80", "http://127.0.0.2"]
        {
            assert!(Target::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for url in [
            "http://192.0.2.1:3000",
            "http://0.0.0.0:3000",
            "http://example.org",
            "http://localhost.example.org:80",
            "http://127.0.0.1@example.org:80",
            "https://127.0.0.1:3000",
            "http://[::ffff:192.0.2.1]:80",
            "http://127.0.0.1:3000/path",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
