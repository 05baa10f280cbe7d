//! A container beside the application's, with its mounts, secrets and networks, that tries which servers can be reached from there.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::rehearse::places::Place;

/// Runs in it, by the database image's own shell and clients.
pub(super) const SCRIPT: &str = include_str!("probe.sh");
/// Services of probes are called so, with a number.
pub(super) const PREFIX: &str = "tg-probe";
/// How long it may try.
pub(super) const LIMIT: Duration = Duration::from_mins(2);
/// What of an application's service decides what it can reach.
const SAME: [&str; 4] = ["configs", "secrets", "tmpfs", "volumes"];
/// Where PostgreSQL listens in a directory with sockets.
const SOCKET: &str = "/.s.PGSQL.";

/// What a probe has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Servers that answered, with the mark that each showed.
    pub answered: Vec<(Place, String)>,
    pub closed: BTreeSet<Place>,
    /// Sockets, FIFOs, devices.
    pub doors: Vec<String>,
    /// Whether it has tried everything.
    pub ended: bool,
}

/// The services of probes for these services of the copy: one for each set of mounts.
pub(super) fn services(copy: &Map<String, Value>, own: &[String], image: &str) -> Vec<(String, Value)> {
    let mut all: Vec<Value> = Vec::new();
    for service in own.iter().filter_map(|name| copy.get(name)) {
        let mut probe: Map<String, Value> =
            SAME.iter().filter_map(|key| Some(((*key).to_owned(), service.get(*key)?.clone()))).collect();
        probe.insert("networks".into(), json!({"stage": {}}));
        probe.insert("labels".into(), service["labels"].clone());
        probe.insert("image".into(), json!(image));
        probe.insert("entrypoint".into(), json!(["sleep", "3600"]));
        probe.insert("command".into(), json!([]));
        probe.insert("user".into(), json!("0:0"));
        probe.insert("healthcheck".into(), json!({"disable": true}));
        for (key, value) in [("restart", "no"), ("pull_policy", "never")] {
            probe.insert(key.into(), json!(value));
        }
        let probe = Value::Object(probe);
        if !all.contains(&probe) {
            all.push(probe);
        }
    }
    all.into_iter().enumerate().map(|(i, probe)| (format!("{PREFIX}-{i}"), probe)).collect()
}

/// What the script is given.
pub(super) fn words<'a>(session: [&'a str; 3], places: &'a [(String, String)]) -> Vec<&'a str> {
    let pairs = places.iter().flat_map(|(host, port)| [host.as_str(), port.as_str()]);
    ["sh", "-c", SCRIPT, "sh"].into_iter().chain(session).chain(pairs).collect()
}

impl Found {
    pub(super) fn parse(text: &str) -> Self {
        let mut found = Found::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let place = |host: &str, port: &str| (host.to_owned(), port.parse().unwrap_or(0));
            match words[..] {
                ["closed", host, port] => {
                    found.closed.insert(place(host, port));
                }
                ["answered", host, port, ref mark @ ..] => {
                    found.answered.push((place(host, port), mark.join(" ")));
                }
                ["door", ..] => found.doors.push(line["door ".len()..].to_owned()),
                ["done"] => found.ended = true,
                _ => {}
            }
        }
        found
    }

    /// What leads out of the rehearsal, whose server shows this mark.
    pub(super) fn ways_out(&self, mark: &str) -> Vec<String> {
        let others = self.answered.iter().filter(|(_, shown)| shown != mark);
        let mut ways: Vec<String> = others
            .map(|((host, port), _)| format!("a server that is not the rehearsal's answers at {host}:{port}"))
            .collect();
        let ours = |door: &&String| {
            self.answered
                .iter()
                .any(|((host, port), shown)| shown == mark && **door == format!("{host}{SOCKET}{port}"))
        };
        ways.extend(
            self.doors.iter().filter(|door| !ours(door)).map(|door| format!("{door} is no plain file")),
        );
        ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "answered db 5432 01K\nclosed 10.0.0.5 5432\nanswered /run/postgresql 5432 01K\ndoor /run/postgresql/.s.PGSQL.5432\ndone\n";

    #[test]
    fn a_server_with_the_mark_and_its_socket_are_no_way_out() {
        let found = Found::parse(TEXT);
        assert!(found.ended);
        assert_eq!(found.closed, BTreeSet::from([("10.0.0.5".into(), 5432)]));
        assert_eq!(found.ways_out("01K"), Vec::<String>::new());
    }

    #[test]
    fn whatever_else_answers_or_is_a_door_is_a_way_out() {
        assert_eq!(Found::parse(TEXT).ways_out("another run").len(), 3);
        for line in [
            "answered db 5432 ",
            "answered db 5432",
            "answered /run 5432 01K\ndoor /run/.s.PGSQL.5433",
            "door /x y",
        ] {
            assert_eq!(Found::parse(line).ways_out("01K").len(), 1, "{line}");
        }
        assert!(!Found::parse("answered db 5432 01K").ended, "it was cut");
    }

    #[test]
    fn services_with_the_same_mounts_share_a_probe() {
        let service = |volumes: Value| json!({"image": "app", "environment": {"A": "b"}, "volumes": volumes, "labels": {"tg.run": "r"}});
        let (plain, other) = (service(json!([])), service(json!([{"type": "tmpfs", "target": "/t"}])));
        let copy =
            Map::from_iter([("api".into(), plain.clone()), ("worker".into(), plain), ("m".into(), other)]);
        let probes = services(&copy, &["api".into(), "worker".into(), "m".into()], "sha256:1");
        assert_eq!(probes.len(), 2);
        assert_eq!(probes[1].1["volumes"][0]["target"], "/t");
        assert!(probes.iter().all(|(_, p)| p["image"] == "sha256:1"
            && p["environment"].is_null()
            && p["labels"]["tg.run"] == "r"));
    }
}
