//! The repository that an image comes from: a registry's host and a name in it.

use std::net::IpAddr;

/// What a reference without a host means.
const DOCKER_HUB: &str = "docker.io";

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    /// Host, with its port where one is written.
    pub host: String,
    /// Name within the registry.
    pub name: String,
}

impl Repository {
    /// Reads the part of a reference before its tag, as the docker program does.
    pub(crate) fn parse(text: &str) -> Self {
        let (host, name) = match text.split_once('/') {
            Some((host, name)) if host.contains(['.', ':']) || host == "localhost" => (host, name),
            _ => (DOCKER_HUB, text),
        };
        let host = if host == "index.docker.io" { DOCKER_HUB } else { host };
        let official = host == DOCKER_HUB && !name.contains('/');
        let name = if official { format!("library/{name}") } else { name.to_owned() };
        Repository { host: host.to_owned(), name }
    }

    /// The host that answers.
    pub(crate) fn answering_host(&self) -> &str {
        if self.host == DOCKER_HUB { "registry-1.docker.io" } else { &self.host }
    }

    /// The name under which docker keeps the credentials.
    pub(crate) fn login(&self) -> &str {
        if self.host == DOCKER_HUB { "https://index.docker.io/v1/" } else { &self.host }
    }

    /// Whether the registry is on this very host: such a one is asked without TLS, as docker does.
    pub(crate) fn is_here(&self) -> bool {
        let bare = self.host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        let name = bare.map_or(self.host.as_str(), |(name, _)| name).trim_matches(['[', ']']);
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_without_a_host_is_of_docker_hub() {
        for (text, host, name) in [
            ("postgres", "docker.io", "library/postgres"),
            ("docker.io/postgres", "docker.io", "library/postgres"),
            ("index.docker.io/a/b", "docker.io", "a/b"),
            ("a/b/c", "docker.io", "a/b/c"),
            ("localhost/app", "localhost", "app"),
            ("registry.example.org/a/b", "registry.example.org", "a/b"),
            ("[::1]:5000/app", "[::1]:5000", "app"),
        ] {
            let expected = Repository { host: host.into(), name: name.into() };
            assert_eq!(Repository::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn docker_hub_answers_elsewhere_and_keeps_its_old_name_for_credentials() {
        let hub = Repository::parse("postgres");
        assert_eq!(hub.answering_host(), "registry-1.docker.io");
        assert_eq!(hub.login(), "https://index.docker.io/v1/");
    }

    #[test]
    fn only_loopback_is_here() {
        for (text, here) in [
            ("localhost:5000/a", true),
            ("127.0.0.2:5000/a", true),
            ("[::1]:5000/a", true),
            ("localhost.example.org/a", false),
            ("10.0.0.1:5000/a", false),
            ("postgres", false),
        ] {
            assert_eq!(Repository::parse(text).is_here(), here, "{text}");
        }
    }
}
