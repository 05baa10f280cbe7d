//! Something whose readiness is asked.

use tg_core::health::{Verdict, check_url};
use tg_core::{Error, database};

/// How a target's readiness is found out.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// By `GET` of this URL.
    Http(String),
    /// By a connection to this host and port.
    Tcp(String, u16),
    /// By a query.
    Postgres(Box<database::Target>),
    /// Docker has said already.
    Told(Box<Verdict>),
}

/// One target.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What records call it, the same in every round: the URL, the container, or the service that
    /// has none.
    pub(crate) name: String,
    pub(crate) ask: Ask,
}

/// A word of the command line: a target, or a service whose containers are.
pub(crate) enum Given {
    Target(Target),
    Service(String),
}

impl Target {
    /// A URL that has been checked.
    pub(crate) fn url(url: &str) -> Self {
        Self::named(url, url)
    }

    /// A container that is asked at this URL.
    pub(crate) fn named(name: &str, url: &str) -> Self {
        Target { name: name.to_owned(), ask: Ask::Http(url.to_owned()) }
    }

    /// Something that Docker knows all about.
    pub(crate) fn told(name: &str, verdict: Verdict) -> Self {
        Target { name: name.to_owned(), ask: Ask::Told(Box::new(verdict)) }
    }

    /// Something that can't be asked, and why.
    pub(crate) fn mute(name: &str, reason: &str) -> Self {
        Self::told(name, Verdict::no(reason))
    }

    /// Where it is asked, when its name does not say so.
    pub(crate) fn place(&self) -> Option<&str> {
        match &self.ask {
            Ask::Http(url) if *url != self.name => Some(url),
            _ => None,
        }
    }

    /// Whether what is expected of an HTTP answer is expected of it.
    pub(crate) fn is_http(&self) -> bool {
        matches!(self.ask, Ask::Http(_))
    }
}

impl Given {
    /// Reads a word of the command line.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |problem: String| {
            Error::Usage {
            problem: format!("bad target {text}: {problem}"),
            hint: "write it as http://host:port/path, tcp://host:port, postgres://user@host:port/name or docker://SERVICE".into(),
        }
        };
        let target = |ask| Given::Target(Target { name: text.to_owned(), ask });
        match text.split_once("://") {
            Some(("http" | "https", _)) => {
                check_url(text).map(|()| target(Ask::Http(text.to_owned()))).map_err(wrong)
            }
            Some(("tcp", place)) => {
                host_and_port(place).map(|(host, port)| target(Ask::Tcp(host, port))).map_err(wrong)
            }
            Some(("postgres" | "postgresql", _)) => match database::Target::from_argument(text) {
                Ok(found) => Ok(target(Ask::Postgres(Box::new(found)))),
                // The word itself may hold a password.
                Err(error @ Error::Usage { .. }) => Err(error),
                Err(error) => Err(Error::Usage {
                    problem: error.to_string(),
                    hint: "write it as postgres://user@host:port/name".into(),
                }),
            },
            Some(("docker", service)) if !service.is_empty() && !service.contains('/') => {
                Ok(Given::Service(service.to_owned()))
            }
            Some(("docker", _)) => Err(wrong("a service of the compose project is named".into())),
            Some((other, _)) => Err(wrong(format!("{other}:// can't be asked"))),
            None => Err(wrong("no http:// before it".into())),
        }
    }
}

/// `host:port`; an IPv6 address stands in brackets.
fn host_and_port(place: &str) -> Result<(String, u16), String> {
    let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or("no port in it")?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    match bare.unwrap_or(host) {
        "" => Err("no host in it".into()),
        host if bare.is_none() && host.contains([':', '/', '@']) => Err("its host is none".into()),
        host => match port.parse() {
            Ok(port) if port > 0 => Ok((host.to_owned(), port)),
            _ => Err("its port is no number from 1 to 65535".into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_target_is_told_by_its_scheme() {
        let ask = |text: &str| match Given::parse(text) {
            Ok(Given::Target(target)) => format!("{:?}", target.ask),
            Ok(Given::Service(name)) => name,
            Err(error) => error.to_string(),
        };
        assert_eq!(ask("tcp://[::1]:5432"), r#"Tcp("::1", 5432)"#);
        assert_eq!(ask("tcp://db:5432/"), r#"Tcp("db", 5432)"#);
        assert_eq!(ask("docker://worker"), "worker");
        assert_eq!(ask("postgres://u@h:6543/d"), "Postgres(h:6543/d)");
        for bad in [
            "tcp://h",
            "tcp://:1",
            "tcp://h:0",
            "tcp://::1:5",
            "docker://",
            "docker://a/b",
            "redis://h:1",
            "h",
        ] {
            assert!(Given::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = Given::parse("postgres://u:topsecret@h/d").err().unwrap();
        assert!(!error.to_string().contains("topsecret"), "{error}");
    }
}
