//! The setting `balancer`: which load balancer, and where.

use std::collections::BTreeMap;

use crate::Error;
use crate::project::Project;
use serde::Deserialize;
use serde_json::Value;

/// The key under `x-tg`, and in upper case after `TG_`.
const KEY: &str = "balancer";

/// Which load balancer stands in front of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Config {
    /// None: the API publishes its port itself.
    None,
    /// HAProxy, by its runtime API.
    Haproxy(HaproxyConfig),
    /// Caddy, by its admin API.
    Caddy(CaddyConfig),
    /// nginx, by a file that it includes.
    Nginx(NginxConfig),
    /// A program of the user's.
    Exec(ExecConfig),
}

/// `{haproxy: 127.0.0.1:9999, backend: api, state: ./haproxy/servers.state}`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaproxyConfig {
    /// `host:port` or the path of a socket: where the runtime API listens, at level admin.
    pub haproxy: String,
    /// The backend.
    #[serde(default = "api")]
    pub backend: String,
    /// The names that its slots begin with.
    #[serde(default = "slots")]
    pub slots: String,
    /// The server state file that HAProxy loads when it starts, as a path on this host.
    pub state: Option<String>,
}

/// `{caddy: http://127.0.0.1:2019, id: api}`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaddyConfig {
    /// URL of the admin API.
    pub caddy: String,
    /// The `@id` of the `reverse_proxy` handler.
    #[serde(default = "api")]
    pub id: String,
}

/// `{nginx: lb, include: ./nginx/api.upstream}`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NginxConfig {
    /// The service of the compose project that runs nginx.
    pub nginx: String,
    /// The file of `server` lines that its upstream includes, as a path on this host.
    pub include: String,
}

/// `{exec: ./balancer}`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecConfig {
    /// A program, relative to the project's directory; docs/load-balancers.md tells what it is asked.
    pub exec: String,
}

fn api() -> String {
    "api".into()
}

fn slots() -> String {
    "tg".into()
}

impl Config {
    /// The setting; without one, a published port of the API means that there is none.
    pub fn read(project: &Project) -> Result<Self, Error> {
        let settings = project.settings();
        if let Some(config) = settings.get(None, KEY, parse)? {
            return Ok(config);
        }
        let published = project.api.iter().filter_map(|s| project.service(s)).any(|s| !s["ports"].is_null());
        if published {
            return Ok(Config::None);
        }
        Err(Error::Setting {
            key: KEY.into(),
            origin: settings.origin(KEY),
            problem: "it is not set and the API publishes no port: which load balancer sends it requests?"
                .into(),
        })
    }
}

fn parse(text: &str) -> Result<Config, String> {
    if text.trim() == "none" {
        return Ok(Config::None);
    }
    let form = "write none or a map that begins with haproxy, caddy, nginx or exec";
    let value: Value = serde_json::from_str(text).map_err(|_| form.to_owned())?;
    let map: BTreeMap<String, Value> = serde_json::from_value(value.clone()).map_err(|_| form.to_owned())?;
    let wrong = |e: serde_json::Error| e.to_string();
    let kind = ["haproxy", "caddy", "nginx", "exec"].into_iter().find(|kind| map.contains_key(*kind));
    match kind {
        Some("haproxy") => serde_json::from_value(value).map(Config::Haproxy).map_err(wrong),
        Some("caddy") => serde_json::from_value(value).map(Config::Caddy).map_err(wrong),
        Some("nginx") => serde_json::from_value(value).map(Config::Nginx).map_err(wrong),
        Some("exec") => serde_json::from_value(value).map(Config::Exec).map_err(wrong),
        _ => Err(form.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_balancer_is_named_by_the_first_key_of_its_map() {
        let text = r#"{"haproxy": "127.0.0.1:9999", "state": "./haproxy/servers.state"}"#;
        let Config::Haproxy(config) = parse(text).unwrap() else { panic!("{text}") };
        assert_eq!((config.backend.as_str(), config.slots.as_str()), ("api", "tg"));
        assert!(matches!(parse(r#"{"caddy": "http://127.0.0.1:2019"}"#), Ok(Config::Caddy(_))));
        assert_eq!(parse("none"), Ok(Config::None));
    }

    #[test]
    fn a_key_that_no_driver_knows_is_an_error_and_not_ignored() {
        for bad in [r#"{"haproxy": "h:1", "backnd": "api"}"#, r#"{"traefik": "x"}"#, "haproxy", "[]", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
