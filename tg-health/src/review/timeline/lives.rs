//! The life of each container of a run, by the steps that were about it.

use serde_json::{Value, json};

/// What a container was doing from some moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Created,
    Booting,
    Ready,
    /// In rotation.
    Serving,
    /// Out of rotation; what is in flight ends.
    Draining,
    /// Kept for the way back, or ended.
    Resting,
    Gone,
}

/// A container.
#[derive(Debug, PartialEq)]
pub(super) struct Life {
    pub(super) name: String,
    pub(super) stages: Vec<(u64, Stage)>,
}

impl Stage {
    pub(super) fn word(self) -> &'static str {
        match self {
            Stage::Created => "created",
            Stage::Booting => "booting",
            Stage::Ready => "ready",
            Stage::Serving => "serving",
            Stage::Draining => "draining",
            Stage::Resting => "resting",
            Stage::Gone => "gone",
        }
    }

    /// What a step of tg-swap makes of the containers that it names.
    fn after(step: &str, state: &str) -> Option<Self> {
        Some(match (step, state) {
            ("adopt", "started") | ("admit" | "settle", "succeeded") => Stage::Serving,
            ("create", "succeeded") => Stage::Created,
            ("start" | "start-again", "started") => Stage::Booting,
            ("ready", "succeeded") => Stage::Ready,
            ("drain" | "finish-workers", "started") => Stage::Draining,
            ("drain" | "finish-workers", "succeeded") => Stage::Resting,
            ("retire" | "stop", "succeeded") => Stage::Gone,
            _ => return None,
        })
    }
}

/// All that steps have named.
pub(super) fn of(lines: &[(u64, Value)]) -> Vec<Life> {
    let mut all: Vec<Life> = Vec::new();
    let mut begun: Vec<String> = Vec::new();
    for (at, line) in lines.iter().filter(|(_, line)| line["type"] == "step") {
        let data = &line["data"];
        let word = |key: &str| data[key].as_str().unwrap_or_default();
        let list = |key: &str| data[key].as_array().cloned().unwrap_or_default();
        let mut containers: Vec<String> = [list("containers"), list("serving")]
            .concat()
            .iter()
            .filter_map(|n| n.as_str().map(str::to_owned))
            .collect();
        // An end may leave out what its beginning has named.
        if containers.is_empty() {
            containers.clone_from(&begun);
        }
        if word("state") == "started" {
            begun.clone_from(&containers);
        }
        let Some(stage) = Stage::after(word("step"), word("state")) else { continue };
        for name in containers {
            match all.iter_mut().find(|life| life.name == name) {
                Some(life) if life.stages.last().is_some_and(|(_, last)| *last == stage) => {}
                Some(life) => life.stages.push((*at, stage)),
                None => all.push(Life { name, stages: vec![(*at, stage)] }),
            }
        }
    }
    all
}

impl Life {
    pub(super) fn sentence(&self) -> String {
        let stages =
            self.stages.iter().map(|(at, stage)| format!("{} at {:.1} s", stage.word(), super::seconds(*at)));
        format!("{}: {}", self.name, stages.collect::<Vec<_>>().join(", "))
    }

    pub(super) fn data(&self) -> Value {
        let stages = self.stages.iter().map(|(at, stage)| json!({"stage": stage.word(), "at_ms": at}));
        json!({"code": "instance", "container": self.name, "stages": stages.collect::<Vec<_>>()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_goes_through_its_stages_as_the_steps_name_it() {
        let line = |at: u64, step: &str, state: &str, names: &[&str]| {
            (at, json!({"type": "step", "data": {"step": step, "state": state, "containers": names}}))
        };
        let lives = of(&[
            line(0, "create", "succeeded", &["new"]),
            line(1, "start", "started", &["new"]),
            line(2, "start", "succeeded", &["new"]),
            line(5, "ready", "succeeded", &["new"]),
            line(6, "admit", "succeeded", &["new"]),
            line(7, "drain", "started", &["old"]),
            line(9, "drain", "succeeded", &[]),
        ]);
        let words = |n: usize| lives[n].stages.iter().map(|(_, stage)| stage.word()).collect::<Vec<_>>();
        assert_eq!(
            (lives[0].name.as_str(), words(0)),
            ("new", vec!["created", "booting", "ready", "serving"])
        );
        assert_eq!((lives[1].name.as_str(), words(1)), ("old", vec!["draining", "resting"]));
    }
}
