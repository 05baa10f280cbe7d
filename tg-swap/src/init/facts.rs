//! What the project says of its API: all that the new files are made from.

use serde_json::{Map, Value};
use tg_core::Error;
use tg_core::process::Runner;
use tg_core::project::Project;

use super::error::InitError;
use super::ports;
use super::{Init, LB};

/// Terragnos Core's own, as for tg-health.
const DEFAULT_HEALTH_PATH: &str = "/v1/health/ready";
const DEFAULT_HEALTH_PORT: u16 = 3000;

/// The facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The API's service.
    pub service: String,
    /// How many containers of it there will be.
    pub replicas: u64,
    /// What it publishes, as the compose file writes it.
    pub ports: Vec<Value>,
    /// The port on which it listens.
    pub port: u16,
    pub health_path: String,
    pub restart: Option<String>,
    /// The networks it is in; none where it is in the default one.
    pub networks: Vec<String>,
    /// `x-tg` as the compose files write it, without `balancer`.
    pub settings: Map<String, Value>,
    /// HAProxy's image.
    pub image: String,
    /// Where HAProxy's runtime API is published on this host.
    pub admin_port: u16,
}

impl Facts {
    /// Reads them and refuses what a balancer in front would break; changes nothing.
    pub(super) fn read(project: &Project, runner: Runner, init: &Init) -> Result<Self, InitError> {
        let service = only_service(project)?;
        let model = project.require(service, "api")?;
        let health_port = health_port(project)?;
        fit(service, model)?;
        if project.service(LB).is_some() {
            return Err(InitError::refused(
                "service-exists",
                format!("the project has a service {LB} already"),
                "name it in x-tg.balancer if it is the load balancer, else rename it",
            ));
        }
        let port = ports::judge(service, &model["ports"], init.admin_port)?;
        if port != health_port {
            return Err(InitError::HealthPort { service: service.to_owned(), port, health_port });
        }
        let raw = project.compose.config(runner, &["--no-interpolate"])?;
        let mut settings = raw["x-tg"].as_object().cloned().unwrap_or_default();
        settings.shift_remove("balancer");
        Ok(Facts {
            service: service.to_owned(),
            replicas: replicas(model),
            ports: raw["services"][service]["ports"].as_array().cloned().unwrap_or_default(),
            port,
            health_path: health_path(project)?,
            restart: model["restart"].as_str().map(str::to_owned),
            networks: networks(model),
            settings,
            image: init.image.clone(),
            admin_port: init.admin_port,
        })
    }

    /// How many slots HAProxy gets: old and new instances side by side, twice over.
    pub(super) fn slots(&self) -> u64 {
        (4 * self.replicas).max(20)
    }
}

fn only_service(project: &Project) -> Result<&str, InitError> {
    match project.api.as_slice() {
        [service] => Ok(service),
        several => Err(InitError::refused(
            "several-services",
            format!("{} services answer requests: {}", several.len(), several.join(", ")),
            "init knows how to serve one; write HAProxy's configuration yourself and name it in x-tg.balancer",
        )),
    }
}

/// A balancer is there so that a second container can run beside the first: it must be able to.
fn fit(service: &str, model: &Value) -> Result<(), InitError> {
    let fixed_address =
        |network: &Value| ["ipv4_address", "ipv6_address"].iter().any(|key| !network[key].is_null());
    let mut networks = model["networks"].as_object().into_iter().flat_map(Map::values);
    let obstacle = if !model["container_name"].is_null() {
        "container_name"
    } else if !model["network_mode"].is_null() {
        "network_mode"
    } else if networks.any(fixed_address) {
        "a fixed address"
    } else {
        return Ok(());
    };
    Err(InitError::refused(
        "cannot-scale",
        format!("service {service} has {obstacle}: no second container can run beside the first"),
        format!("remove {obstacle} from service {service}"),
    ))
}

fn replicas(model: &Value) -> u64 {
    model["deploy"]["replicas"].as_u64().or_else(|| model["scale"].as_u64()).unwrap_or(1)
}

fn networks(model: &Value) -> Vec<String> {
    let names: Vec<String> =
        model["networks"].as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
    if names == ["default"] { Vec::new() } else { names }
}

fn health_port(project: &Project) -> Result<u16, Error> {
    let read = |text: &str| {
        let port = text.parse().ok().filter(|port| *port != 0);
        port.ok_or_else(|| "it must be a port from 1 to 65535".to_owned())
    };
    Ok(project.settings().get(None, "health_port", read)?.unwrap_or(DEFAULT_HEALTH_PORT))
}

fn health_path(project: &Project) -> Result<String, Error> {
    Ok(project.settings().get(None, "health_path", path)?.unwrap_or_else(|| DEFAULT_HEALTH_PATH.into()))
}

/// A path that means itself in HAProxy's configuration.
fn path(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic() && !['"', '\'', '\\', '#'].contains(&c);
    if text.starts_with('/') && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("it must be a path such as /health, without blanks, quotes, \\ and #".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tg_core::{Exit, Fault};

    #[test]
    fn what_keeps_a_second_container_from_running_is_refused_with_its_name() {
        for (model, obstacle) in [
            (json!({"container_name": "x"}), "container_name"),
            (json!({"network_mode": "bridge"}), "network_mode"),
            (json!({"networks": {"a": null, "b": {"ipv4_address": "10.0.0.2"}}}), "a fixed address"),
        ] {
            let error = fit("api", &model).unwrap_err();
            assert_eq!(error.exit(), Exit::Refused);
            assert!(error.to_string().contains(obstacle) && error.hint().is_some(), "{error}");
        }
        fit("api", &json!({"networks": {"default": null}})).unwrap();
    }

    #[test]
    fn a_health_path_cannot_smuggle_anything_into_the_configuration() {
        assert_eq!(path("/v1/health?deep=1&x=%20").unwrap(), "/v1/health?deep=1&x=%20");
        for bad in ["health", "", "/a b", "/a\nserver x", "/a#b", "/\"a", "/a\\"] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_default_network_is_not_named() {
        assert_eq!(networks(&json!({"networks": {"default": null}})), [] as [&str; 0]);
        assert_eq!(networks(&json!({"networks": {"front": null, "default": null}})), ["front", "default"]);
    }
}
