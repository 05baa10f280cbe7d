//! The steps of all tools, with when they began and how they ended.

use serde_json::{Value, json};

use super::seconds;
use crate::watch::Recording;

/// A step.
#[derive(Debug, PartialEq)]
pub(super) struct Phase {
    pub(super) tool: String,
    pub(super) step: String,
    pub(super) msg: String,
    pub(super) begin_ms: u64,
    /// Nothing where it never ended: its tool was killed.
    pub(super) end_ms: Option<u64>,
    /// `succeeded`, `failed`, `undo_finished`, …; `started` where it never ended.
    pub(super) state: String,
}

/// Pairs each beginning with the end that follows it.
pub(super) fn of(lines: &[(u64, Value)]) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for (at, line) in lines.iter().filter(|(_, line)| line["type"] == "step") {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (tool, step, state) =
            (word(&line["tool"]), word(&line["data"]["step"]), word(&line["data"]["state"]));
        if state == "started" || state == "undo_started" {
            phases.push(Phase { tool, step, msg: word(&line["msg"]), begin_ms: *at, end_ms: None, state });
            continue;
        }
        let open = |phase: &&mut Phase| phase.end_ms.is_none() && phase.tool == tool && phase.step == step;
        if let Some(phase) = phases.iter_mut().rev().find(open) {
            phase.end_ms = Some(*at);
            phase.state = state;
        }
    }
    phases
}

impl Phase {
    /// A watch, which changes nothing and so keeps no journal: its recording tells of it.
    pub(super) fn watch(begin_ms: u64, recording: &Recording) -> Self {
        let verdict = &recording.head.verdict;
        Phase {
            tool: "tg-health".into(),
            step: "watch".into(),
            msg: format!("watch: {verdict}"),
            begin_ms,
            end_ms: recording.samples.last().map(|sample| begin_ms + sample.at_ms),
            state: if verdict == "pass" { "succeeded" } else { "failed" }.into(),
        }
    }

    pub(super) fn sentence(&self) -> String {
        let took = self
            .end_ms
            .map_or_else(|| "never ended".to_owned(), |end| format!("{:.1} s", seconds(end - self.begin_ms)));
        format!("{:.1} s: {}, {took}", seconds(self.begin_ms), self.msg)
    }

    pub(super) fn data(&self) -> Value {
        json!({
            "code": "phase", "tool": self.tool, "step": self.step, "state": self.state, "at_ms": self.begin_ms,
            "duration_ms": self.end_ms.map(|end| end - self.begin_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_ends_with_the_end_that_follows_it_and_one_of_a_killed_tool_never() {
        let line = |at: u64, step: &str, state: &str| {
            (at, json!({"type": "step", "tool": "t", "msg": step, "data": {"step": step, "state": state}}))
        };
        let phases = of(&[
            line(0, "a", "started"),
            line(5, "a", "succeeded"),
            line(6, "a", "started"),
            line(7, "b", "started"),
            line(9, "b", "failed"),
        ]);
        let ends: Vec<_> = phases.iter().map(|phase| (phase.end_ms, phase.state.as_str())).collect();
        assert_eq!(ends, [(Some(5), "succeeded"), (None, "started"), (Some(9), "failed")]);
    }
}
