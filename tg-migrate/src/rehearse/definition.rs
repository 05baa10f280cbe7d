//! What a service keeps in a rehearsal: keys are allowed by name, so that one of a newer Compose opens no way out.

use serde_json::{Map, Value, json};

/// Keys that say what the application is and what it may use at most. None leads to another container, to the host or to the world.
const KEPT: [&str; 33] = [
    "cap_drop",
    "command",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_shares",
    "cpus",
    "cpuset",
    "domainname",
    "entrypoint",
    "environment",
    "group_add",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "pids_limit",
    "platform",
    "read_only",
    "shm_size",
    "stdin_open",
    "stop_grace_period",
    "stop_signal",
    "tmpfs",
    "tty",
    "ulimits",
    "user",
    "working_dir",
];
/// Keys that a rehearsal fills in itself, or that have no meaning in it: nothing of the application is missing without them.
/// Labels are left out because other programs act on them: a proxy would send requests here.
const REPLACED: [&str; 22] = [
    "annotations",
    "attach",
    "build",
    "configs",
    "container_name",
    "depends_on",
    "deploy",
    "develop",
    "env_file",
    "expose",
    "extends",
    "labels",
    "logging",
    "networks",
    "oom_score_adj",
    "ports",
    "profiles",
    "pull_policy",
    "restart",
    "scale",
    "secrets",
    "volumes",
];
/// What a service may be limited to.
const RESOURCES: [&str; 3] = ["cpus", "memory", "pids"];
/// The one security option that takes rights away.
const NO_NEW_PRIVILEGES: [&str; 3] =
    ["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"];

/// A service with what it keeps, and the keys that it goes without.
pub(super) fn kept(model: &Value) -> (Map<String, Value>, Vec<String>) {
    let (mut kept, mut without) = (Map::new(), Vec::new());
    for (key, value) in model.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            key if KEPT.contains(&key) => {
                kept.insert(key.to_owned(), value.clone());
            }
            "security_opt" => {
                let all = value.as_array().map_or(&[][..], Vec::as_slice);
                let harmless = |option: &&Value| NO_NEW_PRIVILEGES.iter().any(|known| *option == known);
                let good: Vec<_> = all.iter().filter(harmless).collect();
                if good.len() < all.len() {
                    without.push(key.clone());
                }
                kept.insert(key.clone(), json!(good));
            }
            key if REPLACED.contains(&key) => {}
            _ => without.push(key.clone()),
        }
    }
    let resources = resources(&model["deploy"]["resources"]);
    if !resources.is_empty() {
        kept.insert("deploy".into(), json!({"resources": resources}));
    }
    if ["limits", "reservations"].iter().any(|kind| has_devices(&model["deploy"]["resources"][kind])) {
        without.push("deploy.resources.reservations.devices".into());
    }
    (kept, without)
}

fn resources(model: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    for kind in ["limits", "reservations"] {
        let kept: Map<_, _> = RESOURCES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), model[kind].get(name)?.clone())))
            .collect();
        if !kept.is_empty() {
            all.insert(kind.into(), Value::Object(kept));
        }
    }
    all
}

fn has_devices(model: &Value) -> bool {
    model.as_object().is_some_and(|map| map.keys().any(|key| !RESOURCES.contains(&key.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_known_to_be_harmless_is_left_out_and_named() {
        for key in [
            "cap_add",
            "cgroup",
            "cgroup_parent",
            "credential_spec",
            "device_cgroup_rules",
            "devices",
            "dns",
            "dns_opt",
            "dns_search",
            "external_links",
            "extra_hosts",
            "gpus",
            "ipc",
            "isolation",
            "links",
            "mac_address",
            "models",
            "network_mode",
            "pid",
            "post_start",
            "pre_stop",
            "privileged",
            "provider",
            "runtime",
            "storage_opt",
            "sysctls",
            "use_api_socket",
            "userns_mode",
            "uts",
            "volumes_from",
            "a_key_of_next_year",
        ] {
            let (kept, without) = kept(&json!({"image": "i", key: ["x"]}));
            assert_eq!(kept.keys().collect::<Vec<_>>(), ["image"], "{key}");
            assert_eq!(without, [key]);
        }
    }

    #[test]
    fn what_the_application_is_and_its_limits_stay() {
        let model = json!({
            "image": "i", "command": ["x"], "entrypoint": null, "environment": {"A": "b"}, "user": "1", "working_dir": "/a", "tmpfs": ["/t"],
            "labels": {"traefik.enable": "true"}, "security_opt": ["no-new-privileges:true", "seccomp=unconfined"],
            "deploy": {"replicas": 2, "resources": {
                "limits": {"memory": "1", "pids": 9}, "reservations": {"devices": [{"capabilities": ["gpu"]}]}}},
        });
        let (kept, without) = kept(&model);
        assert_eq!(
            Value::Object(kept),
            json!({
                "image": "i", "command": ["x"], "environment": {"A": "b"}, "user": "1", "working_dir": "/a", "tmpfs": ["/t"],
                "security_opt": ["no-new-privileges:true"], "deploy": {"resources": {"limits": {"memory": "1", "pids": 9}}},
            })
        );
        assert_eq!(without, ["security_opt", "deploy.resources.reservations.devices"]);
    }
}
