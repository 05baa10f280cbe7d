//! What would hurt when a service moves, judged from facts alone: each lint is a small function.

mod entry;
mod health;
mod stopping;
mod twice;
pub(crate) mod variables;

use std::time::Duration;

use serde_json::Value;
use tg_core::image_config::ImageConfig;

use crate::cli::Role;
use crate::finding::Finding;

/// How long a move waits for what it can't hurry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For requests in flight or a job to end.
    pub drain: Duration,
    /// For a new instance to be ready.
    pub health: Duration,
}

impl Default for Limits {
    /// The drain of kamal-proxy and of Kubernetes' grace period, 30 s; what `tg-health --wait` waits, 5 min.
    fn default() -> Self {
        Limits { drain: Duration::from_secs(30), health: Duration::from_mins(5) }
    }
}

/// Memory of the host, bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// What new processes can take.
    pub available: u64,
    /// What the running instances of the service use together.
    pub used: u64,
}

/// What is known of one service before it moves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub service: String,
    /// None for the migrator, which is no instance of anything.
    pub role: Option<Role>,
    /// The service as Compose would create it at the target.
    pub model: Value,
    /// The image that runs, where it is on this host.
    pub now: Option<ImageConfig>,
    /// The image of the target, where it is on this host.
    pub then: Option<ImageConfig>,
    /// The version of the engine's API.
    pub api_version: (usize, usize),
    pub limits: Limits,
    pub memory: Option<Memory>,
}

impl Facts {
    /// Whether instances of it serve or work, so that old and new ones must get along.
    fn serves(&self) -> bool {
        self.role.is_some()
    }
}

/// All findings about one service.
pub(crate) fn all(facts: &Facts) -> Vec<Finding> {
    let lints = [
        twice::container_name,
        twice::published_port,
        twice::fixed_address,
        twice::memory,
        entry::shell_pid1,
        stopping::grace_short,
        stopping::pre_stop_hook,
        health::slow,
        health::start_interval_ignored,
        variables::missing,
    ];
    lints.iter().filter_map(|lint| lint(facts)).map(|finding| finding.of(&facts.service)).collect()
}

/// What keeps a second instance from standing beside the first.
pub(crate) fn beside(facts: &Facts) -> Vec<Finding> {
    let lints = [twice::container_name, twice::published_port, twice::fixed_address];
    lints.iter().filter_map(|lint| lint(facts)).map(|finding| finding.of(&facts.service)).collect()
}

/// How many instances a service of the model shall have.
pub(crate) fn replicas(model: &Value) -> u64 {
    model["deploy"]["replicas"].as_u64().or_else(|| model["scale"].as_u64()).unwrap_or(1)
}

/// A duration as Compose prints it, in Go's form: `1m30s`, `1.5s`, `500ms`.
fn duration(text: &Value) -> Option<Duration> {
    let mut rest = text.as_str()?.trim();
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |n| digits + n);
        seconds += number
            * match &rest[digits..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_are_read_as_compose_prints_them() {
        for (text, millis) in
            [("20s", 20_000), ("1m0s", 60_000), ("1h0m1.5s", 3_601_500), ("500ms", 500), ("0s", 0)]
        {
            assert_eq!(duration(&json!(text)), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in [json!("soon"), json!("5"), json!("5x"), json!(null)] {
            assert_eq!(duration(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_service_without_fault_has_no_findings() {
        let facts = Facts {
            service: "api".into(),
            role: Some(Role::Api),
            model: json!({"command": ["node", "a.js"], "stop_grace_period": "40s", "deploy": {"replicas": 2}}),
            then: Some(ImageConfig::default()),
            ..Facts::default()
        };
        assert_eq!(all(&facts), []);
    }

    #[test]
    fn a_finding_names_its_service() {
        let facts = Facts {
            service: "api".into(),
            role: Some(Role::Api),
            model: json!({"container_name": "a", "stop_grace_period": "40s"}),
            ..Facts::default()
        };
        assert_eq!(all(&facts)[0].service.as_deref(), Some("api"));
    }
}
