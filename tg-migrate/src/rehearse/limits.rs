//! How long the application may take for something in a rehearsal: what the project says, else what it has just taken, with room.

use std::time::Duration;

use tg_core::Error;
use tg_core::cli::duration;
use tg_core::project::Project;

/// For the old release on its own schema, of which nothing is known yet.
const FIRST_READY: Duration = Duration::from_mins(5);
const FIRST_SMOKE: Duration = Duration::from_mins(10);
/// For all that come after it, at least.
const LEAST_READY: Duration = Duration::from_secs(90);
const LEAST_SMOKE: Duration = Duration::from_mins(2);
/// As many times as long as the old release took.
const ROOM: u32 = 4;
/// How long a worker without a health check must stay up.
const UPTIME: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// For an instance to get ready.
    pub ready: Duration,
    /// For one smoke command.
    pub smoke: Duration,
    /// How long a worker without a health check must stay up.
    pub uptime: Duration,
    said_ready: bool,
    said_smoke: bool,
}

impl Limits {
    /// What the project says under `x-tg`, or the environment.
    pub(super) fn of(project: &Project) -> Result<Self, Error> {
        let said = |key: &str| project.settings().get(None, key, duration);
        Ok(Self::said(said("ready_timeout")?, said("smoke_timeout")?, said("worker_uptime")?))
    }

    fn said(ready: Option<Duration>, smoke: Option<Duration>, uptime: Option<Duration>) -> Self {
        Limits {
            ready: ready.unwrap_or(FIRST_READY),
            smoke: smoke.unwrap_or(FIRST_SMOKE),
            uptime: uptime.unwrap_or(UPTIME),
            said_ready: ready.is_some(),
            said_smoke: smoke.is_some(),
        }
    }

    /// Those after the old release has shown how long it takes; what it did not get to is not known better than before.
    pub(super) fn after(self, ready: Option<Duration>, smoke: Option<Duration>) -> Self {
        let room = |said: bool, now: Duration, took: Option<Duration>, least: Duration| match took {
            Some(took) if !said => took.saturating_mul(ROOM).max(least),
            _ => now,
        };
        Limits {
            ready: room(self.said_ready, self.ready, ready, LEAST_READY),
            smoke: room(self.said_smoke, self.smoke, smoke, LEAST_SMOKE),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_project_says_counts_else_what_the_old_release_took_with_room() {
        let s = Duration::from_secs;
        let unsaid = Limits::said(None, None, None);
        assert_eq!(unsaid.ready, FIRST_READY);
        assert_eq!(unsaid.after(Some(s(121)), None).ready, s(484));
        assert_eq!(unsaid.after(Some(s(1)), None).ready, LEAST_READY);
        assert_eq!(unsaid.after(None, Some(s(61))).smoke, s(244));
        assert_eq!(unsaid.after(None, None), unsaid);
        let said = Limits::said(Some(s(30)), Some(s(5)), Some(s(20))).after(Some(s(121)), Some(s(61)));
        assert_eq!((said.ready, said.smoke, said.uptime), (s(30), s(5), s(20)));
    }
}
