//! A container as the tools see it.

use std::collections::HashMap;

use bollard::models::ContainerInspectResponse;
use serde::Serialize;

/// The labels by which Compose knows its containers.
pub const PROJECT_LABEL: &str = "com.docker.compose.project";
/// Which service a container belongs to.
pub const SERVICE_LABEL: &str = "com.docker.compose.service";
/// Compose's own hash of the service's configuration.
pub const HASH_LABEL: &str = "com.docker.compose.config-hash";
/// `True` for what `compose run` made.
pub const ONE_OFF_LABEL: &str = "com.docker.compose.oneoff";
/// The label of containers that tg itself makes; its value is the run.
pub const RUN_LABEL: &str = "tg.run";

/// What Docker knows of a container.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Container {
    /// Full identifier.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// Compose service.
    pub service: String,
    /// The reference that it was created from.
    pub image: String,
    /// The image itself, `sha256:…`.
    pub image_id: String,
    /// `created`, `running`, `exited`, …
    pub state: String,
    /// `healthy`, `unhealthy`, `starting`, or nothing without a health check.
    pub health: Option<String>,
    /// How many times in a row its health check has failed.
    #[serde(skip)]
    pub failing_streak: i64,
    /// What its health check printed last.
    #[serde(skip)]
    pub health_said: String,
    /// RFC 3339.
    pub started_at: String,
    /// Of the last end.
    pub exit_code: i64,
    /// By its restart policy.
    pub restarts: i64,
    /// Killed for want of memory.
    pub oom_killed: bool,
    /// The most memory that it may take, bytes; `None` without a limit.
    pub memory_limit: Option<u64>,
    /// Its address on each network.
    #[serde(skip)]
    pub addresses: Vec<String>,
    /// Published ports: `5432/tcp` to host address and port.
    #[serde(skip)]
    pub published: HashMap<String, (String, u16)>,
    /// The hash of the configuration that Compose created it from.
    #[serde(skip)]
    pub config_hash: String,
    /// Made by `compose run`.
    #[serde(skip)]
    pub one_off: bool,
    /// All of its labels, those of its image too.
    #[serde(skip)]
    pub labels: HashMap<String, String>,
    /// Its first process, as the engine's host counts; `None` when it does not run.
    #[serde(skip)]
    pub pid: Option<u32>,
}

impl Container {
    /// Whether it runs.
    #[must_use]
    pub fn running(&self) -> bool {
        self.state == "running"
    }

    /// Whether it was ever started.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.state != "created"
    }

    /// Where one of its TCP ports is reached from this host: the published port, else its address.
    #[must_use]
    pub fn reach(&self, port: u16) -> Option<(String, u16)> {
        if let Some((host, port)) = self.published.get(&format!("{port}/tcp")) {
            let host = if host.is_empty() || host == "0.0.0.0" || host == "::" { "127.0.0.1" } else { host };
            return Some((host.to_owned(), *port));
        }
        self.addresses.first().map(|address| (address.clone(), port))
    }

    /// The URL of a path on one of its ports, as [`Self::reach`] finds it.
    #[must_use]
    pub fn url(&self, port: u16, path: &str) -> Option<String> {
        let (host, port) = self.reach(port)?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Some(format!("http://{host}:{port}{path}"))
    }
}

impl From<ContainerInspectResponse> for Container {
    fn from(inspect: ContainerInspectResponse) -> Self {
        let state = inspect.state.unwrap_or_default();
        let config = inspect.config.unwrap_or_default();
        let labels = config.labels.unwrap_or_default();
        let network = inspect.network_settings.unwrap_or_default();
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let checked = state.health.unwrap_or_default();
        let health = checked.status.map(|s| s.to_string());
        let said = checked.log.unwrap_or_default().pop().and_then(|last| last.output);
        let mut addresses: Vec<String> = network
            .networks
            .unwrap_or_default()
            .into_values()
            .filter_map(|n| n.ip_address.filter(|ip| !ip.is_empty()))
            .collect();
        addresses.sort();
        let published = network.ports.unwrap_or_default().into_iter().filter_map(|(port, bindings)| {
            let binding = bindings?.into_iter().next()?;
            Some((port, (binding.host_ip.unwrap_or_default(), binding.host_port?.parse().ok()?)))
        });
        Container {
            id: inspect.id.unwrap_or_default(),
            name: inspect.name.unwrap_or_default().trim_start_matches('/').to_owned(),
            service: label(SERVICE_LABEL),
            image: config.image.unwrap_or_default(),
            image_id: inspect.image.unwrap_or_default(),
            state: state.status.map(|s| s.to_string()).unwrap_or_default(),
            health: health.filter(|h| !h.is_empty() && h != "none"),
            failing_streak: checked.failing_streak.unwrap_or_default(),
            health_said: said.unwrap_or_default(),
            started_at: state.started_at.unwrap_or_default(),
            exit_code: state.exit_code.unwrap_or_default(),
            restarts: inspect.restart_count.unwrap_or_default(),
            oom_killed: state.oom_killed.unwrap_or_default(),
            memory_limit: inspect
                .host_config
                .and_then(|host| host.memory)
                .and_then(|bytes| u64::try_from(bytes).ok())
                .filter(|bytes| *bytes > 0),
            addresses,
            published: published.collect(),
            config_hash: label(HASH_LABEL),
            one_off: label(ONE_OFF_LABEL) == "True",
            labels,
            pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0),
        }
    }
}
