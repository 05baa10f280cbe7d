//! Containers that end while they are waited for. One restart may heal, as when a database was slower than its
//! application; a container that falls again and again, or stays down, will not come up by waiting.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::container::Container;

/// So many restarts are a loop.
const RESTARTS: i64 = 2;
/// How many times as long one that was restarted must stay up.
const AFTER_A_RESTART: u32 = 3;
/// A container that stays ended for so long will not come back by itself.
const STAYS_DOWN: Duration = Duration::from_secs(1);

/// A container that fell over.
#[derive(Clone, Debug)]
pub struct Crash {
    /// Docker's identifier.
    pub id: String,
    /// Its name.
    pub container: String,
    /// What it did, after its name.
    pub how: String,
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
            id: container.id.clone(),
            container: container.name.clone(),
            how,
            service: container.service.clone(),
            state: container.state.clone(),
            exit_code: code,
            restarts: container.restarts,
            oom_killed: container.oom_killed,
        }
    }

    /// What Docker knows of it.
    #[must_use]
    pub fn facts(&self) -> Value {
        json!({
            "container": self.container, "service": self.service, "state": self.state,
            "exit_code": self.exit_code, "restarts": self.restarts, "oom_killed": self.oom_killed,
        })
    }
}

/// What was seen of each container.
#[derive(Debug, Default)]
pub struct Watch {
    seen: HashMap<String, Seen>,
    /// When any of them was last found restarted, or not running.
    shaken: Option<Instant>,
    /// Whether any of them was restarted.
    restarted: bool,
}

#[derive(Debug)]
struct Seen {
    /// The lowest restart count met; a start by hand sets it back to 0.
    restarts: i64,
    /// The count at the last look.
    last: i64,
    /// Whether it ran, or was about to, at any look.
    lived: bool,
    down_since: Option<Instant>,
}

impl Watch {
    /// A watch over containers that run, or are just being started: whichever of them is found ended has fallen over.
    #[must_use]
    pub fn over(containers: &[Container], now: Instant) -> Self {
        Self::from(containers, now, |c| c.restarts)
    }

    /// The same for those that were started by hand since this look at them: Docker counts their restarts anew.
    #[must_use]
    pub fn over_started(containers: &[Container], now: Instant) -> Self {
        Self::from(containers, now, |_| 0)
    }

    fn from(containers: &[Container], now: Instant, restarts: impl Fn(&Container) -> i64) -> Self {
        let seen =
            |c: &Container| Seen { restarts: restarts(c), last: restarts(c), lived: true, down_since: None };
        Watch {
            seen: containers.iter().map(|c| (c.id.clone(), seen(c))).collect(),
            shaken: Some(now),
            restarted: false,
        }
    }

    /// Looks at the containers of now; tells of one that fell over.
    pub fn look(&mut self, containers: &[Container], now: Instant) -> Option<Crash> {
        containers.iter().find_map(|container| {
            let seen = self.seen.entry(container.id.clone()).or_insert(Seen {
                restarts: container.restarts,
                last: container.restarts,
                lived: false,
                down_since: None,
            });
            self.restarted |= container.restarts > seen.last;
            if container.restarts > seen.last || !container.running() {
                self.shaken = Some(now);
            }
            seen.last = container.restarts;
            seen.restarts = seen.restarts.min(container.restarts);
            seen.lived |= !ended(container);
            // A busy host needs a while to start one again; an old loop is in its pause between two tries.
            let looping = container.state == "restarting" && container.restarts >= RESTARTS;
            let down = looping || ended(container) && seen.lived;
            seen.down_since = down.then(|| seen.down_since.unwrap_or(now));
            let restarted = container.restarts - seen.restarts;
            let stays_down = seen.down_since.is_some_and(|since| now.duration_since(since) >= STAYS_DOWN);
            (restarted >= RESTARTS || stays_down).then(|| Crash::of(container, restarted))
        })
    }

    /// Whether all of them have run for so long without a restart; for longer, where one has been restarted.
    #[must_use]
    pub fn steady(&self, long: Duration, now: Instant) -> bool {
        let long = if self.restarted { long * AFTER_A_RESTART } else { long };
        self.shaken.is_none_or(|shaken| now.duration_since(shaken) >= long)
    }

    /// Whether we saw it before it ended: then it is missed, and not just a leftover.
    #[must_use]
    pub fn lived(&self, container: &Container) -> bool {
        self.seen.get(&container.id).is_some_and(|seen| seen.lived)
    }
}

/// Whether it will not run again unless somebody starts it.
#[must_use]
pub fn ended(container: &Container) -> bool {
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

    #[test]
    fn one_that_was_just_started_and_is_found_ended_is_no_leftover() {
        let (mut watch, now) = (Watch::over(&[container("running", 3)], Instant::now()), Instant::now());
        assert!(watch.look(&[container("exited", 3)], now).is_none());
        assert!(watch.look(&[container("exited", 3)], now + STAYS_DOWN).is_some());
    }

    #[test]
    fn one_that_is_restarted_once_after_it_was_started_is_given_another_try() {
        let (mut watch, now) = (Watch::over(&[container("running", 0)], Instant::now()), Instant::now());
        assert!(watch.look(&[container("restarting", 1)], now).is_none());
        let later = now + 5 * STAYS_DOWN;
        assert!(watch.look(&[container("restarting", 1)], later).is_none(), "a busy host takes its time");
        assert!(watch.look(&[container("running", 1)], later).is_none());
        assert!(watch.look(&[container("restarting", 2)], later).is_some());
    }

    #[test]
    fn one_that_was_restarted_has_to_stay_up_from_then_on_and_for_longer() {
        let (long, begun) = (STAYS_DOWN, Instant::now());
        let after = |times: u32| begun + long * times;
        let mut watch = Watch::over_started(&[container("exited", 7)], begun);
        assert!(watch.steady(long, after(1)) && !watch.steady(long * 2, after(1)));
        assert!(watch.look(&[container("restarting", 0)], after(1)).is_none());
        assert!(!watch.steady(long, after(1)), "it does not run");
        assert!(watch.look(&[container("running", 1)], after(3)).is_none());
        assert!(!watch.steady(long, after(4)) && watch.steady(long, after(3 + AFTER_A_RESTART)));
        assert!(watch.look(&[container("running", 2)], after(4)).is_some(), "two since it was started");
    }

    #[test]
    fn an_old_loop_is_known_without_waiting_for_its_next_restart() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        assert!(watch.look(&[container("restarting", 12)], now).is_none());
        assert!(watch.look(&[container("restarting", 12)], now + STAYS_DOWN).is_some());
    }
}
