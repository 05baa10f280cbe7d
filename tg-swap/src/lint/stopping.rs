//! Is a stop long enough, and is all done that a stop shall do?

use std::time::Duration;

use serde_json::json;

use super::{Facts, duration};
use crate::cli::Role;
use crate::finding::Finding;

/// Compose's default (`stop_grace_period` of the Compose specification).
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A worker has no other time for its job than its grace: shorter than the drain limit is a warning.
/// An API is drained before it is stopped, and its grace counts only where nobody drains it: at a
/// plain `stop`, or when the drain's limit is over. So that is only told.
pub(super) fn grace_short(facts: &Facts) -> Option<Finding> {
    let grace = duration(&facts.model["stop_grace_period"]).unwrap_or(DEFAULT_GRACE);
    let limit = facts.limits.drain;
    let (role, short) = (facts.role?, grace < limit);
    let seconds = |d: Duration| d.as_secs_f64();
    let data = json!({"grace_s": seconds(grace), "limit_s": seconds(limit)});
    let cure = format!("stop_grace_period: {}s", limit.as_secs());
    let (grace, limit) = (seconds(grace), seconds(limit));
    short.then(|| match role {
        Role::Worker => {
            let msg = format!("a job has {grace} s to end, then it is killed; jobs may take {limit} s");
            Finding::warning("grace-short", msg, &cure).with(data)
        }
        Role::Api => {
            let msg =
                format!("stopped without a drain, requests have {grace} s to end; a drain gives {limit} s");
            Finding::info("grace-short", msg, &cure).with(data)
        }
    })
}

/// Compose runs `pre_stop` hooks at stop, down and restart, but not where one container is stopped.
pub(super) fn pre_stop_hook(facts: &Facts) -> Option<Finding> {
    let hooks = facts.model["pre_stop"].as_array().filter(|hooks| facts.serves() && !hooks.is_empty())?;
    let msg = format!("its {} pre_stop hooks are not run where a single instance is stopped", hooks.len());
    Some(Finding::warning("pre-stop-hook", msg, "let the application do it on SIGTERM"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use serde_json::Value;

    fn facts(role: Option<Role>, model: Value) -> Facts {
        Facts { role, model, ..Facts::default() }
    }

    #[test]
    fn a_worker_whose_grace_is_shorter_than_the_limit_is_warned_of_also_by_default() {
        for model in [json!({}), json!({"stop_grace_period": "29s"})] {
            let found = grace_short(&facts(Some(Role::Worker), model)).unwrap();
            assert_eq!((found.severity, found.cure.as_str()), (Severity::Warning, "stop_grace_period: 30s"));
        }
    }

    #[test]
    fn an_api_s_short_grace_is_only_told() {
        let found = grace_short(&facts(Some(Role::Api), json!({"stop_grace_period": "20s"}))).unwrap();
        assert_eq!(found.severity, Severity::Info);
    }

    #[test]
    fn a_grace_as_long_as_the_limit_is_enough_and_the_migrator_needs_none() {
        for (role, model) in [
            (Some(Role::Worker), json!({"stop_grace_period": "30s"})),
            (Some(Role::Api), json!({"stop_grace_period": "1m0s"})),
            (None, json!({})),
        ] {
            assert_eq!(grace_short(&facts(role, model)), None);
        }
    }

    #[test]
    fn hooks_that_would_not_run_are_told() {
        let hooked = json!({"pre_stop": [{"command": ["drain"]}]});
        assert!(pre_stop_hook(&facts(Some(Role::Api), hooked.clone())).is_some());
        assert_eq!(pre_stop_hook(&facts(None, hooked)), None);
        assert_eq!(pre_stop_hook(&facts(Some(Role::Api), json!({"pre_stop": []}))), None);
    }
}
