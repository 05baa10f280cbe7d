//! Where the world asks whether the application is ready.

use ureq::http::Uri;

use crate::Error;
use crate::project::Project;

/// What the world asks, from Terragnos Core's guide.
const HEALTH_URL: &str = "http://localhost:3000/v1/health/ready";

const HEALTH_PORT: u16 = 3000;

impl Project {
    /// The URL behind the balancer, `health_url`. An error where nobody says one, and no service of the project
    /// publishes the port of the default.
    pub fn health_url(&self) -> Result<String, Error> {
        let said =
            self.settings().get(None, "health_url", |text| check_url(text).map(|()| text.to_owned()))?;
        match said {
            Some(url) => Ok(url),
            None if may_answer(self, HEALTH_PORT) => Ok(HEALTH_URL.to_owned()),
            // Whoever listens there is somebody else.
            None => Err(Error::Setting {
                key: "health_url".into(),
                origin: self.settings().origin("health_url"),
                problem: format!(
                    "no service of this project publishes port {HEALTH_PORT}, as {HEALTH_URL} would need"
                ),
            }),
        }
    }
}

/// Whether a service of the project has this port of the host, as far as the compose file tells.
fn may_answer(project: &Project, port: u16) -> bool {
    let has = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        first.parse().is_ok_and(|first: u16| first <= port)
            && last.parse().is_ok_and(|last: u16| port <= last)
    };
    let names = project.service_names();
    names.into_iter().filter_map(|name| project.service(name)).any(|service| {
        let mut ports = service["ports"].as_array().into_iter().flatten();
        service["network_mode"] == "host" || ports.any(|p| p["published"].as_str().is_some_and(has))
    })
}

/// Whether we can ask this URL. A password in it would stand in the process list.
pub fn check_url(text: &str) -> Result<(), String> {
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
    use super::*;

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
