//! What the engine has really made of a container, before it is started: nothing of it leads out of the rehearsal.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tg_core::network::Network;

/// Settings that lead nowhere, whatever they are. Any other must be empty or be one of those below.
const HARMLESS: [&str; 38] = [
    "AutoRemove",
    "Binds",
    "BlkioWeight",
    "CapDrop",
    "CgroupnsMode",
    "ConsoleSize",
    "ContainerIDFile",
    "CpuCount",
    "CpuPercent",
    "CpuPeriod",
    "CpuQuota",
    "CpuShares",
    "CpusetCpus",
    "CpusetMems",
    "GroupAdd",
    "IOMaximumBandwidth",
    "IOMaximumIOps",
    "Init",
    "Isolation",
    "KernelMemory",
    "LogConfig",
    "MaskedPaths",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "MemorySwappiness",
    "Mounts",
    "NanoCpus",
    "OomKillDisable",
    "OomScoreAdj",
    "PidsLimit",
    "ReadonlyPaths",
    "ReadonlyRootfs",
    "RestartPolicy",
    "Runtime",
    "ShmSize",
    "Tmpfs",
    "Ulimits",
];
/// How the engine names a namespace that nobody else has.
const OWN: [&str; 4] = ["", "none", "private", "shareable"];

/// What a container may have.
pub(super) struct Bounds<'a> {
    pub network: &'a Network,
    /// Paths of the host that it may read.
    pub shown: &'a BTreeSet<PathBuf>,
}

impl Bounds<'_> {
    /// The ways out of a container as `docker inspect` describes it.
    pub(super) fn ways_out(&self, container: &Value) -> Vec<String> {
        let name = container["Name"].as_str().unwrap_or_default().trim_start_matches('/');
        let parts =
            (&container["HostConfig"], &container["Mounts"], &container["NetworkSettings"]["Networks"]);
        let (Value::Object(host), Value::Array(mounts), Value::Object(networks)) = parts else {
            return vec![format!("container {name}: the engine does not say what it has")];
        };
        let others = networks.keys().filter(|other| **other != self.network.name);
        let mut ways: Vec<String> = others.map(|other| format!("network {other}")).collect();
        for (key, value) in host {
            let good = match key.as_str() {
                key if HARMLESS.contains(&key) => true,
                "NetworkMode" => *value == self.network.name.as_str() || *value == self.network.id.as_str(),
                "IpcMode" => value.as_str().is_some_and(|mode| OWN.contains(&mode)),
                "SecurityOpt" => value.as_array().into_iter().flatten().all(|option| {
                    option.as_str().is_some_and(|option| option.starts_with("no-new-privileges"))
                }),
                _ => is_empty(value),
            };
            if !good {
                ways.push(format!("{key} {value}"));
            }
        }
        ways.extend(mounts.iter().filter(|mount| !self.is_own(mount)).map(|mount| {
            let text = |key: &str| mount[key].as_str().unwrap_or_default();
            format!("mount of {} {} at {}", text("Type"), text("Source"), text("Destination"))
        }));
        ways.into_iter().map(|way| format!("{name}: {way}")).collect()
    }

    /// An anonymous volume, memory, or what was to be shown, to be read.
    fn is_own(&self, mount: &Value) -> bool {
        match mount["Type"].as_str() {
            Some("tmpfs") => true,
            Some("volume") => {
                let name = mount["Name"].as_str().unwrap_or_default();
                let anonymous = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
                anonymous && mount["Driver"] == "local"
            }
            Some("bind") => {
                let source = mount["Source"].as_str().unwrap_or_default();
                mount["RW"] == false && self.shown.contains(Path::new(source))
            }
            _ => false,
        }
    }
}

/// Whether a setting is as if it were not set.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ways_out(container: &Value) -> Vec<String> {
        let network = Network { name: "stage".into(), id: "0f".into(), ..Network::default() };
        let shown = BTreeSet::from([PathBuf::from("/copy")]);
        Bounds { network: &network, shown: &shown }.ways_out(container)
    }

    /// As Docker 20.10 describes one that has nothing.
    fn closed() -> Value {
        json!({"Name": "/api", "NetworkSettings": {"Networks": {"stage": {}}},
            "Mounts": [
                {"Type": "volume", "Name": "a".repeat(64), "Driver": "local", "Source": "/v", "Destination": "/u", "RW": true},
                {"Type": "bind", "Source": "/copy", "Destination": "/c", "RW": false}],
            "HostConfig": {"NetworkMode": "0f", "IpcMode": "private", "PidMode": "", "Privileged": false, "CapAdd": null, "Devices": [],
                "ExtraHosts": [], "PortBindings": {}, "SecurityOpt": ["no-new-privileges:true"], "ShmSize": 67_108_864, "Runtime": "runc",
                "Memory": 1024, "PidsLimit": null, "Mounts": [{"Type": "volume"}]}})
    }

    #[test]
    fn a_container_with_nothing_but_its_own_has_no_way_out() {
        assert_eq!(ways_out(&closed()), Vec::<String>::new());
    }

    #[test]
    fn each_right_that_the_engine_gave_it_is_a_way_out() {
        for (key, value) in [
            ("NetworkMode", json!("host")),
            ("IpcMode", json!("container:db")),
            ("PidMode", json!("host")),
            ("UTSMode", json!("host")),
            ("UsernsMode", json!("host")),
            ("Privileged", json!(true)),
            ("PublishAllPorts", json!(true)),
            ("CapAdd", json!(["NET_ADMIN"])),
            ("Devices", json!([{"PathOnHost": "/dev/fuse"}])),
            ("DeviceCgroupRules", json!(["c 1:3 mr"])),
            ("DeviceRequests", json!([{"Driver": "nvidia"}])),
            ("ExtraHosts", json!(["db:10.0.0.1"])),
            ("Links", json!(["/db:/api/db"])),
            ("VolumesFrom", json!(["db"])),
            ("PortBindings", json!({"80/tcp": [{"HostPort": "80"}]})),
            ("SecurityOpt", json!(["seccomp=unconfined"])),
            ("Dns", json!(["10.0.0.1"])),
            ("Sysctls", json!({"net.ipv4.ip_forward": "1"})),
            ("CgroupParent", json!("/x")),
            ("OfNextYear", json!({"a": 1})),
        ] {
            let mut container = closed();
            container["HostConfig"][key] = value;
            let ways = ways_out(&container);
            assert!(ways.len() == 1 && ways[0].starts_with(&format!("api: {key} ")), "{key}: {ways:?}");
        }
        let mut container = closed();
        container["NetworkSettings"]["Networks"]["other"] = json!({});
        assert_eq!(ways_out(&container), ["api: network other"]);
    }

    #[test]
    fn each_mount_that_is_not_the_rehearsal_s_own_is_a_way_out() {
        for mount in [
            json!({"Type": "bind", "Source": "/other", "RW": false}),
            json!({"Type": "bind", "Source": "/copy", "RW": true}),
            json!({"Type": "volume", "Name": "project_run", "Driver": "local", "RW": true}),
            json!({"Type": "volume", "Name": "b".repeat(64), "Driver": "nfs", "RW": true}),
            json!({"Type": "npipe"}),
        ] {
            let mut container = closed();
            container["Mounts"] = json!([mount]);
            assert_eq!(ways_out(&container).len(), 1, "{mount}");
        }
    }

    #[test]
    fn a_container_that_can_not_be_read_is_not_closed() {
        assert_eq!(ways_out(&json!({})).len(), 1);
    }
}
