//! Can a second instance stand beside the first? The API is replaced start-first, so there it must;
//! a worker can be stopped before its successor starts, so there it would only be better.

use serde_json::{Value, json};

use super::{Facts, replicas};
use crate::cli::{Accept, Role};
use crate::finding::Finding;

/// A name can be given to one container only.
pub(super) fn container_name(facts: &Facts) -> Option<Finding> {
    let name = facts.model["container_name"].as_str().filter(|_| facts.serves())?;
    let msg = format!("container_name {name} leaves no name for a second instance");
    Some(only_one(facts, Accept::ContainerName, msg, "drop container_name; Compose names containers itself"))
}

/// A host port can be bound once. A range must have one port more than there are instances.
pub(super) fn published_port(facts: &Facts) -> Option<Finding> {
    let cure = "let the load balancer reach the service by its network, and drop ports: or write the target port alone";
    if facts.serves() && facts.model["network_mode"] == "host" {
        let msg = "with network_mode host a second instance can't bind the first one's port".to_owned();
        return Some(only_one(facts, Accept::PublishedPort, msg, cure));
    }
    let needed = replicas(&facts.model) + 1;
    let ports: Vec<&str> = facts.model["ports"]
        .as_array()
        .filter(|_| facts.serves())?
        .iter()
        .filter_map(|port| port["published"].as_str())
        .filter(|published| host_ports(published).is_some_and(|n| n < needed))
        .collect();
    if ports.is_empty() {
        return None;
    }
    let msg = format!("host port {} can't be bound by a second instance", ports.join(", "));
    Some(only_one(facts, Accept::PublishedPort, msg, cure).with(json!({"ports": ports})))
}

/// How many ports of the host a mapping may take; `None` where the engine chooses freely.
fn host_ports(published: &str) -> Option<u64> {
    match published.split_once('-') {
        Some((first, last)) => Some(last.parse::<u64>().ok()?.saturating_sub(first.parse().ok()?) + 1),
        None => published.parse::<u64>().ok().filter(|port| *port != 0).map(|_| 1),
    }
}

/// An address can be given to one container only.
pub(super) fn fixed_address(facts: &Facts) -> Option<Finding> {
    let networks = facts.model["networks"].as_object().filter(|_| facts.serves())?;
    let fixed = ["ipv4_address", "ipv6_address"];
    let address = networks.values().flat_map(|n| fixed.iter().filter_map(|key| n[*key].as_str())).next()?;
    let msg = format!("address {address} can't be given to a second instance");
    Some(only_one(facts, Accept::FixedAddress, msg, "drop the fixed address; let others find it by name"))
}

fn only_one(facts: &Facts, word: Accept, msg: String, cure: &str) -> Finding {
    match facts.role {
        Some(Role::Worker) => Finding::warning(&word.name(), msg, cure),
        _ => Finding::unsafe_until(word, msg, cure),
    }
}

/// Old and new instances of the API stand side by side. A new set takes what the old one takes now,
/// or, where it is limited, may grow up to its limits.
pub(super) fn memory(facts: &Facts) -> Option<Finding> {
    let memory = facts.memory.filter(|_| facts.role == Some(Role::Api))?;
    let limit = bytes(&facts.model["deploy"]["resources"]["limits"]["memory"])
        .or_else(|| bytes(&facts.model["mem_limit"]));
    let needed = limit.map_or(memory.used, |limit| limit.saturating_mul(replicas(&facts.model)));
    (memory.available < needed).then(|| {
        let mib = |bytes: u64| bytes >> 20;
        let msg = format!(
            "a second set of instances may take {} MiB; the host has {} MiB left",
            mib(needed),
            mib(memory.available)
        );
        let facts = json!({"needed_bytes": needed, "available_bytes": memory.available});
        Finding::warning("memory", msg, "free memory, or replace one instance after the other").with(facts)
    })
}

/// Compose prints bytes as text.
fn bytes(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).filter(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::*;
    use crate::finding::Severity;

    fn facts(role: Option<Role>, model: Value) -> Facts {
        Facts { role, model, ..Facts::default() }
    }

    fn api(model: Value) -> Facts {
        facts(Some(Role::Api), model)
    }

    #[test]
    fn a_container_name_is_unsafe_for_the_api_and_a_warning_for_a_worker() {
        let named = json!({"container_name": "core"});
        let found = container_name(&api(named.clone())).unwrap();
        assert_eq!((found.severity, found.needs), (Severity::Unsafe, Some(Accept::ContainerName)));
        let found = container_name(&facts(Some(Role::Worker), named.clone())).unwrap();
        assert_eq!((found.severity, found.needs), (Severity::Warning, None));
        assert_eq!(container_name(&facts(None, named)), None, "the migrator runs alone");
        assert_eq!(container_name(&api(json!({}))), None);
    }

    #[test]
    fn a_fixed_host_port_is_unsafe() {
        for published in ["3000", "3000-3001"] {
            let model = json!({"ports": [{"target": 80, "published": published}], "deploy": {"replicas": 2}});
            assert_eq!(published_port(&api(model)).unwrap().facts["ports"], json!([published]));
        }
        assert!(published_port(&api(json!({"network_mode": "host"}))).is_some());
    }

    #[test]
    fn a_port_that_the_engine_chooses_is_safe() {
        for port in [
            json!({"target": 80}),
            json!({"published": "0"}),
            json!({"published": "3000-3002"}),
            json!({"published": ""}),
        ] {
            let model = json!({"ports": [port], "deploy": {"replicas": 2}});
            assert_eq!(published_port(&api(model.clone())), None, "{model}");
        }
    }

    #[test]
    fn a_fixed_address_is_unsafe_and_a_network_without_one_is_not() {
        assert!(
            fixed_address(&api(json!({"networks": {"a": null, "b": {"ipv4_address": "10.0.0.2"}}})))
                .is_some()
        );
        assert_eq!(fixed_address(&api(json!({"networks": {"default": null}}))), None);
    }

    #[test]
    fn memory_is_compared_with_what_runs_or_with_the_limits() {
        let with =
            |model: Value, used: u64| Facts { memory: Some(Memory { available: 1000, used }), ..api(model) };
        assert!(memory(&with(json!({}), 1001)).is_some());
        assert_eq!(memory(&with(json!({}), 1000)), None);
        let limited = json!({"deploy": {"replicas": 3, "resources": {"limits": {"memory": "400"}}}});
        assert_eq!(memory(&with(limited, 1)).unwrap().facts["needed_bytes"], 1200);
        assert_eq!(memory(&with(json!({"mem_limit": "1000"}), 5000)), None);
        assert_eq!(memory(&api(json!({}))), None, "an engine elsewhere tells nothing");
    }
}
