//! How long an instance may take to get ready, and a step may wait for what passes.

use std::time::Duration;

use serde_json::Value;
use tg_core::cli::duration;
use tg_core::history;
use tg_core::project::Project;

use crate::error::SwapError;

/// The setting.
const KEY: &str = "ready_timeout";
/// Where nothing is said and nothing was measured.
pub(crate) const LEAST: Duration = Duration::from_mins(2);
/// How many times as long as the last release took is too long.
const TIMES: u32 = 3;

/// By the flag, else `TG_READY_TIMEOUT`, else `x-tg.ready_timeout`, else by what was measured here.
pub(crate) fn timeout(flag: Option<Duration>, project: &Project) -> Result<Duration, SwapError> {
    match project.settings().get(flag, KEY, duration)? {
        Some(limit) => Ok(limit),
        None => Ok(by_experience(&history::read(&project.state()?))),
    }
}

/// Several times what the release that runs took, as its swap measured it; two minutes at least.
fn by_experience(history: &[Value]) -> Duration {
    let done = |line: &&Value| line["tool"] == crate::TOOL && line["outcome"] == "succeeded";
    let took = |line: &Value| line["phases_ms"]["ready"].as_u64().or(line["downtime_ms"].as_u64());
    let last = history.iter().rev().filter(done).find_map(took).unwrap_or_default();
    LEAST.max(Duration::from_millis(last) * TIMES)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(outcome: &str, facts: &Value) -> Value {
        let mut line = json!({"tool": "tg-swap", "action": "swap", "outcome": outcome});
        line.as_object_mut().unwrap().extend(facts.as_object().cloned().unwrap());
        line
    }

    #[test]
    fn a_release_gets_three_times_as_long_as_the_last_one_took_and_two_minutes_at_least() {
        let swap = |ms: u64| line("succeeded", &json!({"phases_ms": {"create": 1, "ready": ms}}));
        assert_eq!(by_experience(&[]), LEAST);
        assert_eq!(by_experience(&[swap(4_000)]), LEAST);
        assert_eq!(by_experience(&[swap(4_000), swap(90_000)]), Duration::from_secs(270));
        let direct = line("succeeded", &json!({"downtime_ms": 60_000}));
        assert_eq!(by_experience(&[swap(4_000), direct]), Duration::from_mins(3));
    }

    #[test]
    fn what_was_undone_or_measured_by_others_says_nothing() {
        let undone = line("undone", &json!({"phases_ms": {"ready": 900_000}}));
        let other = json!({"tool": "upgrade", "outcome": "succeeded", "downtime_ms": 900_000});
        assert_eq!(by_experience(&[undone, other]), LEAST);
    }
}
