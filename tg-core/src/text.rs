//! Lines for people, where stdout is a terminal.

use serde_json::Value;

use crate::event::Kind;

/// A line for people; `None` for what only machines need.
pub(crate) fn line(kind: Kind, msg: &str, data: &Value) -> Option<String> {
    let seconds =
        data["duration_ms"].as_f64().map(|ms| format!(" ({:.1} s)", ms / 1000.0)).unwrap_or_default();
    match kind {
        // A failure stands on stderr already, with its cure.
        Kind::Result if !data["error"].is_null() => None,
        Kind::Start | Kind::Record | Kind::Result => Some(msg.to_owned()),
        Kind::Step => match data["state"].as_str()? {
            "started" | "undo_started" => None,
            "succeeded" => Some(format!("  done: {msg}{seconds}")),
            "undo_finished" => Some(format!("  undone: {msg}{seconds}")),
            state => Some(format!(
                "  {}: {msg}: {}",
                state.replace('_', " "),
                data["error"].as_str().unwrap_or_default()
            )),
        },
        Kind::Progress => {
            let left = data["eta_ms"].as_u64().map(|ms| format!(", {} s left", ms.div_ceil(1000)));
            Some(format!(
                "  {msg}: {} of {} {}{}",
                data["done"],
                data["total"],
                data["unit"].as_str().unwrap_or_default(),
                left.unwrap_or_default()
            ))
        }
        Kind::Warning => Some(format!("warning: {msg}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_intent_is_not_told_and_an_outcome_is_told_with_its_time() {
        let step = |state: &str| {
            line(Kind::Step, "stop", &json!({"state": state, "duration_ms": 812, "error": "e"}))
        };
        assert_eq!(step("started"), None);
        assert_eq!(step("succeeded").as_deref(), Some("  done: stop (0.8 s)"));
        assert_eq!(step("undo_failed").as_deref(), Some("  undo failed: stop: e"));
    }

    #[test]
    fn a_failure_is_not_told_twice() {
        assert_eq!(line(Kind::Result, "m", &json!({"error": {"code": "x"}})), None);
        assert_eq!(line(Kind::Result, "m", &json!({})).as_deref(), Some("m"));
    }
}
