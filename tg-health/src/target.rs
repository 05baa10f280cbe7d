//! Something whose readiness is asked.

use tg_core::Error;
use ureq::http::Uri;

/// How a target's readiness is found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// By `GET` of this URL.
    Http(String),
    /// Docker has said already that it is not ready, and why.
    Told(String),
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// What records call it, the same in every round: the URL, the container, or the service that
    /// has none.
    pub(crate) name: String,
    pub(crate) ask: Ask,
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

    /// Something that can't be asked, and why.
    pub(crate) fn told(name: &str, reason: &str) -> Self {
        Target { name: name.to_owned(), ask: Ask::Told(reason.to_owned()) }
    }

    /// Where it is asked, when its name does not say so.
    pub(crate) fn place(&self) -> Option<&str> {
        match &self.ask {
            Ask::Http(url) if *url != self.name => Some(url),
            Ask::Http(_) | Ask::Told(_) => None,
        }
    }

    /// A URL of the command line.
    pub(crate) fn given(url: &str) -> Result<Self, Error> {
        check_url(url).map(|()| Self::url(url)).map_err(|problem| Error::Usage {
            problem: format!("bad URL {url}: {problem}"),
            hint: "write it as http://host:port/path".into(),
        })
    }
}

/// Whether we can ask this URL. A password in it would stand in the process list.
pub(crate) fn check_url(text: &str) -> Result<(), String> {
    let uri: Uri = text.parse().map_err(|e| format!("{e}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(other) => return Err(format!("{other}:// can't be asked, only http:// and https://")),
        None => return Err("no http:// or https:// before it".into()),
    }
    let authority = uri.authority().map_or("", |a| a.as_str());
    if authority.contains('@') {
        return Err("no user or password may stand in it; a token comes from --token-file".into());
    }
    // The parser leaves a port that is none, such as 99999, to the one who connects.
    let after_host = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    if after_host.split_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_err()) {
        return Err("its port is no number up to 65535".into());
    }
    if uri.host().unwrap_or_default().is_empty() { Err("no host in it".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::check_url;

    #[test]
    fn only_a_whole_http_url_without_a_password_can_be_asked() {
        for good in ["http://h", "https://h:1/x?y=z", "http://[::1]:80/", "http://127.0.0.1/"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        let bad =
            ["h", "localhost:3000", "/x", "", "tcp://h:1", "postgres://u@h/d", "http://", "http://:80/"];
        for bad in bad.into_iter().chain(["http://u:p@h/", "http://h:99999/", "http://h:x/", "http://a b/"]) {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
