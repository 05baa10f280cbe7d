//! The arithmetic of Docker's health checks (HEALTHCHECK in the Dockerfile reference).
//!
//! The first check comes after one interval: the start interval while a start period lasts, where
//! the engine knows one (25, API 1.44), else the interval. A container that never answers is called
//! unhealthy after its start period and as many intervals as it has retries.

use std::time::Duration;

use serde_json::{Value, json};
use tg_core::image_config::HealthCheck;

use super::{Facts, duration};
use crate::finding::Finding;

/// Docker's defaults.
const INTERVAL: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;
/// The engine's API that knows start intervals.
const KNOWS_START_INTERVAL: (usize, usize) = (1, 44);

/// Docker's verdict comes later than a move waits for it.
pub(super) fn slow(facts: &Facts) -> Option<Finding> {
    let check = check(facts)?;
    let (healthy, unhealthy) = (first_check(facts, &check), called_unhealthy(&check));
    let limit = facts.limits.health;
    let (what, late) = if healthy > limit {
        ("healthy", healthy)
    } else if unhealthy > limit {
        ("unhealthy", unhealthy)
    } else {
        return None;
    };
    let seconds = |d: Duration| d.as_secs_f64();
    let msg = format!(
        "Docker calls it {what} after {} s at the earliest; a move waits {} s",
        seconds(late),
        seconds(limit)
    );
    let data =
        json!({"healthy_s": seconds(healthy), "unhealthy_s": seconds(unhealthy), "limit_s": seconds(limit)});
    let cure = "shorten interval, retries or start_period of its healthcheck";
    Some(Finding::warning("health-slow", msg, cure).with(data))
}

/// A start interval that has no effect: without a start period, or on an engine that knows none.
pub(super) fn start_interval_ignored(facts: &Facts) -> Option<Finding> {
    let check = check(facts)?;
    check.start_interval?;
    let (why, cure) = if check.start_period.is_none() {
        ("there is no start_period", "set start_period to the longest time that it may take to boot")
    } else if facts.api_version < KNOWS_START_INTERVAL {
        ("the engine is older than 25", "upgrade the engine, or shorten interval")
    } else {
        return None;
    };
    let first = first_check(facts, &check).as_secs_f64();
    let msg = format!("its start_interval is ignored, since {why}: the first check comes after {first} s");
    Some(Finding::warning("health-slow", msg, cure))
}

/// The check that is in force: the service's words, and the image's where the service says nothing.
fn check(facts: &Facts) -> Option<HealthCheck> {
    let own = &facts.model["healthcheck"];
    let image = facts.then.as_ref().or(facts.now.as_ref()).and_then(|image| image.health.clone());
    let base = image.unwrap_or_default();
    let time = |key: &str, other: Option<Duration>| duration(&own[key]).filter(|d| !d.is_zero()).or(other);
    let retries = own["retries"].as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
    let check = HealthCheck {
        test: words(&own["test"]).unwrap_or(base.test),
        interval: time("interval", base.interval),
        timeout: time("timeout", base.timeout),
        retries: retries.or(base.retries),
        start_period: time("start_period", base.start_period),
        start_interval: time("start_interval", base.start_interval),
    };
    let off = own["disable"] == true || check.test.first().is_none_or(|word| word == "NONE");
    (facts.serves() && !off).then_some(check)
}

fn words(test: &Value) -> Option<Vec<String>> {
    Some(test.as_array()?.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
}

fn first_check(facts: &Facts, check: &HealthCheck) -> Duration {
    let interval = check.interval.unwrap_or(INTERVAL);
    if check.start_period.is_some() && facts.api_version >= KNOWS_START_INTERVAL {
        return check.start_interval.unwrap_or(START_INTERVAL).min(interval);
    }
    interval
}

fn called_unhealthy(check: &HealthCheck) -> Duration {
    let interval = check.interval.unwrap_or(INTERVAL);
    check.start_period.unwrap_or_default() + interval * check.retries.unwrap_or(RETRIES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Role;
    use tg_core::image_config::ImageConfig;

    fn facts(check: &Value) -> Facts {
        let mut check = check.clone();
        check["test"] = json!(["CMD", "true"]);
        let model = json!({"healthcheck": check});
        Facts { role: Some(Role::Api), model, api_version: (1, 44), ..Facts::default() }
    }

    #[test]
    fn a_verdict_that_comes_too_late_is_warned_of() {
        let found = slow(&facts(&json!({"interval": "10m0s"}))).unwrap();
        assert_eq!(found.facts["healthy_s"], 600.0);
        let found = slow(&facts(&json!({"interval": "30s", "retries": 5, "start_period": "4m0s"}))).unwrap();
        assert_eq!((&found.facts["healthy_s"], &found.facts["unhealthy_s"]), (&json!(5.0), &json!(390.0)));
        assert!(found.msg.contains("unhealthy after 390 s"), "{}", found.msg);
    }

    #[test]
    fn docker_s_defaults_are_fast_enough() {
        assert_eq!(slow(&facts(&json!({}))), None);
        assert_eq!(slow(&facts(&json!({"interval": "2s", "retries": 15}))), None);
    }

    #[test]
    fn a_start_interval_that_has_no_effect_is_warned_of() {
        let found = start_interval_ignored(&facts(&json!({"start_interval": "1s"}))).unwrap();
        assert!(found.msg.contains("no start_period") && found.msg.contains("after 30 s"), "{}", found.msg);
        let both = facts(&json!({"start_interval": "1s", "start_period": "1m0s", "interval": "20s"}));
        assert_eq!(start_interval_ignored(&both), None);
        let old = Facts { api_version: (1, 43), ..both };
        assert!(start_interval_ignored(&old).unwrap().msg.contains("after 20 s"));
    }

    #[test]
    fn the_image_s_check_counts_where_the_service_has_none_and_a_switched_off_one_never() {
        let health = HealthCheck {
            test: vec!["CMD".into()],
            interval: Some(Duration::from_hours(1)),
            ..HealthCheck::default()
        };
        let image = ImageConfig { health: Some(health), ..ImageConfig::default() };
        let of = |model: Value| Facts {
            role: Some(Role::Worker),
            model,
            then: Some(image.clone()),
            ..Facts::default()
        };
        assert!(slow(&of(json!({}))).is_some());
        assert_eq!(slow(&of(json!({"healthcheck": {"interval": "5s"}}))), None);
        assert_eq!(slow(&of(json!({"healthcheck": {"disable": true}}))), None);
        assert_eq!(slow(&of(json!({"healthcheck": {"test": ["NONE"]}}))), None);
    }
}
