//! What an image says about the containers that are made from it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{HealthConfig, ImageConfig as Wire};

use crate::Error;
use crate::engine::{ANSWER, Engine, absent};

/// The configuration of an image: what a container does unless it is told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `ENV`: names and their defaults.
    pub environment: BTreeMap<String, String>,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub command: Vec<String>,
    /// `WORKDIR`; `/` where the image has none.
    pub directory: String,
    /// `LABEL`.
    pub labels: HashMap<String, String>,
    /// `HEALTHCHECK`.
    pub health: Option<HealthCheck>,
}

/// A health check by Docker itself; what is not given has Docker's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthCheck {
    /// `["NONE"]` switches it off.
    pub test: Vec<String>,
    /// Between two checks, and before the first.
    pub interval: Option<Duration>,
    /// Of one check.
    pub timeout: Option<Duration>,
    /// Failures in a row until it is called unhealthy.
    pub retries: Option<u32>,
    /// While it lasts no failure counts.
    pub start_period: Option<Duration>,
    /// Between two checks while the start period lasts.
    pub start_interval: Option<Duration>,
}

impl Engine {
    /// The configuration of an image on this host, by reference or id, if it is there.
    pub fn image_config(&self, reference: &str) -> Result<Option<ImageConfig>, Error> {
        let found = absent(self.ask(ANSWER, self.docker.inspect_image(reference)))?;
        Ok(found.map(|image| image.config.map(ImageConfig::from).unwrap_or_default()))
    }
}

impl From<Wire> for ImageConfig {
    fn from(wire: Wire) -> Self {
        let pair = |text: String| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (text, String::new()),
        };
        ImageConfig {
            environment: wire.env.unwrap_or_default().into_iter().map(pair).collect(),
            entrypoint: wire.entrypoint.unwrap_or_default(),
            command: wire.cmd.unwrap_or_default(),
            directory: wire.working_dir.filter(|d| !d.is_empty()).unwrap_or_else(|| "/".into()),
            labels: wire.labels.unwrap_or_default(),
            health: wire.healthcheck.map(HealthCheck::from),
        }
    }
}

impl From<HealthConfig> for HealthCheck {
    fn from(wire: HealthConfig) -> Self {
        // Nanoseconds; 0 means the default.
        let time = |nanos: Option<i64>| {
            nanos.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0).map(Duration::from_nanos)
        };
        HealthCheck {
            test: wire.test.unwrap_or_default(),
            interval: time(wire.interval),
            timeout: time(wire.timeout),
            retries: wire.retries.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0),
            start_period: time(wire.start_period),
            start_interval: time(wire.start_interval),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_an_equals_sign_and_a_directory_is_never_empty() {
        let config = ImageConfig::from(Wire {
            env: Some(vec!["NODE_OPTIONS=--a=b".into(), "EMPTY=".into(), "BARE".into()]),
            working_dir: Some(String::new()),
            ..Wire::default()
        });
        assert_eq!(config.environment["NODE_OPTIONS"], "--a=b");
        assert_eq!((config.environment["EMPTY"].as_str(), config.environment["BARE"].as_str()), ("", ""));
        assert_eq!(config.directory, "/");
    }

    #[test]
    fn docker_s_zero_is_no_time_but_its_default() {
        let health = HealthCheck::from(HealthConfig {
            interval: Some(0),
            start_period: Some(2_000_000_000),
            retries: Some(0),
            ..HealthConfig::default()
        });
        assert_eq!((health.interval, health.retries), (None, None));
        assert_eq!(health.start_period, Some(Duration::from_secs(2)));
    }
}
