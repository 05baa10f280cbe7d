//! Containers that end while we wait for them: no use in waiting on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::health::printable;
use tg_core::redact::Redactor;

use crate::error::Error;

/// One restart may heal, as when a database was slower than its application; two are a loop.
const RESTARTS: i64 = 2;
/// A container that stays ended for so long will not come back by itself.
const STAYS_DOWN: Duration = Duration::from_secs(1);
/// How many of its last log lines a crashed container is quoted with.
const LAST_LINES: u32 = 20;
/// Characters of a log line that are repeated.
const LONGEST_LINE: usize = 500;

/// A container that fell over.
#[derive(Clone, Debug)]
pub(crate) struct Crash {
    pub(crate) container: String,
    /// What it did, after its name.
    pub(crate) how: String,
    /// Docker's identifier.
    id: String,
    /// Its last log lines.
    lines: Vec<String>,
    service: String,
    state: String,
    exit_code: i64,
    restarts: i64,
    oom_killed: bool,
}

impl Crash {
    fn of(container: &Container, restarted: i64) -> Self {
        let code = container.exit_code;
        let how = match (container.oom_killed, restarted >= RESTARTS) {
            (true, _) => "was killed for want of memory".to_owned(),
            (false, true) => {
                format!("keeps crashing: {restarted} restarts while waited for, last exit {code}")
            }
            (false, false) => format!("ended with exit {code}"),
        };
        Crash {
            container: container.name.clone(),
            how,
            id: container.id.clone(),
            lines: Vec::new(),
            service: container.service.clone(),
            state: container.state.clone(),
            exit_code: code,
            restarts: container.restarts,
            oom_killed: container.oom_killed,
        }
    }

    /// What ends the wait: with its last log lines, where they can be had; their absence must not hide the crash.
    pub(crate) fn last_words(mut self, engine: &Engine, redactor: &Redactor) -> Error {
        let lines = engine.logs(&self.id, LAST_LINES).unwrap_or_default();
        self.lines = lines.iter().map(|line| printable(&redactor.clean(line), LONGEST_LINE)).collect();
        Error::Crashed { crash: Box::new(self), summary: json!({}) }
    }

    /// For a record and for people.
    pub(crate) fn sentence(&self) -> String {
        let lines = self.lines.iter().map(|line| format!("\n    {line}"));
        format!("{} {}{}", self.container, self.how, lines.collect::<String>())
    }

    /// What Docker knows of it.
    pub(crate) fn facts(&self) -> Value {
        json!({
            "container": self.container, "service": self.service, "state": self.state,
            "exit_code": self.exit_code, "restarts": self.restarts, "oom_killed": self.oom_killed,
        })
    }

    /// For a record: the facts and the last log lines.
    pub(crate) fn data(&self) -> Value {
        let mut data =
            json!({"code": "crashed", "target": self.container, "ready": false, "reason": self.how});
        if let (Some(map), Value::Object(facts)) = (data.as_object_mut(), self.facts()) {
            map.extend(facts);
            map.insert("lines".into(), json!(self.lines));
        }
        data
    }
}

/// What was seen of each container.
#[derive(Default)]
pub(crate) struct Watch {
    seen: HashMap<String, Seen>,
}

struct Seen {
    /// The lowest restart count met; a start by hand sets it back to 0.
    restarts: i64,
    /// Whether it ran, or was about to, at any look.
    lived: bool,
    down_since: Option<Instant>,
}

impl Watch {
    /// Looks at the containers of now; tells of one that fell over.
    pub(crate) fn look(&mut self, containers: &[Container], now: Instant) -> Option<Crash> {
        containers.iter().find_map(|container| {
            let seen = self.seen.entry(container.id.clone()).or_insert(Seen {
                restarts: container.restarts,
                lived: false,
                down_since: None,
            });
            seen.restarts = seen.restarts.min(container.restarts);
            seen.lived |= !ended(container);
            let down = container.state == "restarting" || ended(container) && seen.lived;
            seen.down_since = down.then(|| seen.down_since.unwrap_or(now));
            let restarted = container.restarts - seen.restarts;
            let stays_down = seen.down_since.is_some_and(|since| now.duration_since(since) >= STAYS_DOWN);
            (restarted >= RESTARTS || stays_down).then(|| Crash::of(container, restarted))
        })
    }

    /// Whether we saw it before it ended: then it is missed, and not just a leftover.
    pub(crate) fn lived(&self, container: &Container) -> bool {
        self.seen.get(&container.id).is_some_and(|seen| seen.lived)
    }
}

/// Whether it will not run again unless somebody starts it.
pub(crate) fn ended(container: &Container) -> bool {
    matches!(container.state.as_str(), "exited" | "dead" | "removing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: &str, restarts: i64) -> Container {
        Container { id: "a".into(), name: "a".into(), state: state.into(), restarts, ..Container::default() }
    }

    #[test]
    fn one_restart_may_heal_and_two_are_a_loop() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        assert!(watch.look(&[container("running", 7)], now).is_none());
        assert!(watch.look(&[container("running", 8)], now).is_none());
        assert!(watch.look(&[container("running", 9)], now).is_some());
    }

    #[test]
    fn a_start_by_hand_sets_the_count_back_and_is_no_crash() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        watch.look(&[container("running", 7)], now);
        watch.look(&[container("running", 0)], now);
        assert!(watch.look(&[container("running", 1)], now).is_none());
        assert!(watch.look(&[container("running", 2)], now).is_some());
    }

    #[test]
    fn a_container_that_ends_before_our_eyes_and_stays_so_has_crashed() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        watch.look(&[container("running", 0)], now);
        assert!(watch.look(&[container("exited", 0)], now).is_none(), "it may be on its way to be removed");
        assert!(watch.look(&[container("exited", 0)], now + STAYS_DOWN).is_some());
    }

    #[test]
    fn a_container_that_had_ended_before_we_came_is_a_leftover() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        watch.look(&[container("exited", 0)], now);
        assert!(watch.look(&[container("exited", 0)], now + STAYS_DOWN).is_none());
    }
}
