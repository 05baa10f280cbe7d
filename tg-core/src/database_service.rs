//! By which hosts the services of a project reach its database service.

use std::net::{IpAddr, UdpSocket};

use serde_json::Value;

use crate::database::PORT;
use crate::project::Project;

/// What Docker Desktop calls its host, and what Compose lets a service call it.
const HOST_NAMES: [&str; 2] = ["host.docker.internal", "gateway.docker.internal"];
const HOST_GATEWAY: &str = "host-gateway";

/// Where a host of a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To the database service, at this port of its container.
    Database(u16),
    /// To another service of the project.
    Service(String),
    /// To the container that asks itself.
    Itself,
    /// Out of the project.
    Outside,
}

/// Where a host leads that a service connects to.
pub(crate) fn place(project: &Project, from: &str, host: &str, port: Option<u16>) -> Place {
    let asked = port.unwrap_or(PORT);
    if host.starts_with('/') {
        let shared = shares_directory(project, from, host);
        return if shared { Place::Database(asked) } else { Place::Itself };
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let Some(asking) = project.service(from) else { return Place::Outside };
    let links = |service: &str| {
        let pairs = words(&asking["links"])
            .filter_map(|link| link.split_once(':').map(|(s, a)| (s.to_owned(), a.to_owned())));
        { pairs }.any(|(linked, alias)| linked == service && alias.eq_ignore_ascii_case(&host))
    };
    let named = |service: &str| is_called(project, service, &host) || links(service);
    if named(&project.database) {
        return Place::Database(asked);
    }
    let itself = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
    let network = asking["network_mode"].as_str().unwrap_or_default();
    if itself && network == format!("service:{}", project.database) {
        return Place::Database(asked);
    }
    if (itself && network == "host") || is_host(asking, &host) {
        return published(project, asked).map_or(Place::Outside, Place::Database);
    }
    if itself {
        return Place::Itself;
    }
    let other = project.service_names().into_iter().find(|service| named(service)).map(str::to_owned);
    other.map_or(Place::Outside, Place::Service)
}

/// Whether a service is reached by this name or address on a network of the project.
pub(crate) fn is_called(project: &Project, service: &str, host: &str) -> bool {
    let Some(model) = project.service(service) else { return false };
    let networks = model["networks"].as_object().into_iter().flat_map(|networks| networks.values());
    let on_networks = networks.flat_map(|network| {
        let addresses = ["ipv4_address", "ipv6_address"].into_iter().filter_map(|key| network[key].as_str());
        addresses.map(str::to_owned).chain(words(&network["aliases"])).collect::<Vec<_>>()
    });
    let by_compose = ["-", "_"].map(|joint| format!("{}{joint}{service}{joint}1", project.name));
    let mut names = on_networks
        .chain(by_compose)
        .chain([service.to_owned()])
        .chain(model["container_name"].as_str().map(str::to_owned));
    names.any(|name| name.eq_ignore_ascii_case(host))
}

/// Whether a name or an address is that of the host, for a container.
fn is_host(asking: &Value, host: &str) -> bool {
    let extra = match &asking["extra_hosts"] {
        Value::Object(map) => {
            map.iter().map(|(name, to)| format!("{name}={}", to.as_str().unwrap_or_default())).collect()
        }
        list => words(list).collect::<Vec<_>>(),
    };
    let mapped = extra.iter().any(|entry| {
        let (name, to) = entry.split_once(['=', ':']).unwrap_or_default();
        name.eq_ignore_ascii_case(host) && to == HOST_GATEWAY
    });
    // Only an address of this machine can be bound to.
    let ours = host.parse::<IpAddr>().is_ok_and(|ip| !ip.is_loopback() && UdpSocket::bind((ip, 0)).is_ok());
    HOST_NAMES.contains(&host) || mapped || ours
}

/// The port of the database's container that this port of the host leads to.
fn published(project: &Project, port: u16) -> Option<u16> {
    let ports = project.service(&project.database)?["ports"].as_array()?;
    let number =
        |value: &Value| value.as_u64().map(|n| n.to_string()).or_else(|| value.as_str().map(str::to_owned));
    let ours =
        ports.iter().find(|mapping| number(&mapping["published"]).is_some_and(|n| n == port.to_string()))?;
    number(&ours["target"])?.parse().ok()
}

/// Whether a directory of a service is shared with the database service, as one with a server's socket is.
fn shares_directory(project: &Project, from: &str, directory: &str) -> bool {
    let volumes = |service: &str| project.service(service).and_then(|s| s["volumes"].as_array());
    let Some(theirs) = volumes(&project.database) else { return false };
    // The one is a symbolic link to the other.
    let directory = plain(directory);
    let inside = |target: &str| {
        let rest = directory.strip_prefix(plain(target).trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let same = |a: &Value, b: &Value| {
        a["type"] == b["type"] && a["source"].is_string() && a["source"] == b["source"]
    };
    let mut ours = volumes(from).into_iter().flatten().filter(|v| v["target"].as_str().is_some_and(inside));
    ours.any(|own| theirs.iter().any(|their| same(own, their)))
}

fn plain(directory: &str) -> &str {
    if directory.starts_with("/var/run/") { &directory["/var".len()..] } else { directory }
}

fn words(list: &Value) -> impl Iterator<Item = String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}
