//! Old instances out of rotation, until nothing is in flight on them.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::Truth;
use tg_core::container::Container;

use crate::error::SwapError;
use crate::swap::options::OnDrainTimeout;
use crate::swap::{Phase, Swap};
use tg_core::balancer::{Duty, sockets};

/// Between two looks; nothing must be in flight on two in a row.
const LOOK: Duration = Duration::from_millis(100);

/// Why it is not known whether old instances are empty.
const NOT_MEASURED: &str = "neither the load balancer nor the containers tell what is in flight";

/// What was still in flight when old instances were let go.
struct Left {
    /// Requests that were counted.
    flying: u64,
    /// Whether there was nothing.
    drained: Truth,
}

impl Left {
    /// Requests that are cut; `None` where that is not known.
    fn cut(&self) -> Option<u64> {
        self.drained.known().map(|_| self.flying)
    }
}

/// Looks in a row that found nothing in flight. One that could not tell is none of them.
#[derive(Default)]
struct Emptiness(u32);

impl Emptiness {
    /// Whether two in a row have.
    fn proven(&mut self, flying: u64, known: bool) -> bool {
        self.0 = if known && flying == 0 { self.0 + 1 } else { 0 };
        self.0 >= 2
    }
}

impl Swap<'_> {
    /// Takes up to so many old instances out of rotation and waits until they are empty.
    pub(super) fn drain(&mut self, most: usize) -> Result<(), SwapError> {
        let api = self.api()?;
        let leaving: Vec<Container> = api.others.iter().filter(|c| c.running()).take(most).cloned().collect();
        if leaving.is_empty() {
            return Ok(());
        }
        let staying: Vec<Container> = api.others.iter().filter(|c| c.running()).skip(most).cloned().collect();
        let mut posts = self.posts(&api.goal, Duty::Serve)?;
        posts.extend(self.posts(&staying, Duty::Serve)?);
        posts.extend(self.posts(&leaving, Duty::Rest)?);
        let names: Vec<String> = leaving.iter().map(|c| c.name.clone()).collect();
        let left =
            self.step("drain", &format!("drain {}", names.join(", ")), json!({"containers": names}), || {
                self.assign(&posts)?;
                self.await_seen(&names, |seen| !seen.takes_new)?;
                let left = self.await_empty(&leaving, || self.assign(&posts))?;
                let mut data = json!({"containers": names, "cut": left.cut()});
                if let Some(data) = data.as_object_mut() {
                    left.drained.put(data, "drained");
                }
                Ok((left, data))
            })?;
        let cut = left.flying;
        self.intent.cut += cut;
        if let Truth::Unknown(why) = left.drained {
            self.intent.not_measured = Some(why);
            self.intent.write(&self.state)?;
        }
        if cut > 0 {
            self.intent.write(&self.state)?;
            let msg = format!("{cut} requests did not end in time and will be cut");
            self.session.emit.warning("cut", &msg, json!({"cut": cut, "containers": names}))?;
        }
        Ok(())
    }

    /// What did not end in time: nothing, unless it may be cut or nobody can tell.
    fn await_empty(
        &self,
        leaving: &[Container],
        again: impl Fn() -> Result<(), SwapError>,
    ) -> Result<Left, SwapError> {
        let begun = Instant::now();
        let mut emptiness = Emptiness::default();
        let mut unknown_told = false;
        loop {
            let (flying, known) = self.in_flight(leaving)?;
            if emptiness.proven(flying, known) {
                return Ok(Left { flying, drained: Truth::Yes });
            }
            if !known && !unknown_told {
                unknown_told = true;
                let msg = "nobody can tell what is in flight; waiting for the whole --drain-timeout";
                self.session.emit.warning("not-measured", msg, json!({}))?;
            }
            // One look that found nothing is not enough, and the next one is near.
            if begun.elapsed() > self.intent.options.pace.drain_timeout && (flying > 0 || !known) {
                // On the way back nothing is left to go back to.
                let may_cut = self.intent.options.pace.on_drain_timeout == OnDrainTimeout::Cut
                    || self.intent.phase == Phase::Back;
                let drained = if known { Truth::No } else { Truth::unknown(NOT_MEASURED) };
                let left = Left { flying, drained };
                return if !known || may_cut { Ok(left) } else { Err(SwapError::DrainTimeout(flying)) };
            }
            self.session.emit.progress("waiting for requests in flight", 0, flying, "requests")?;
            self.check("waiting for requests in flight")?;
            std::thread::sleep(LOOK);
            // A balancer that was restarted meanwhile has read what we wrote; saying it again is free.
            again()?;
        }
    }

    /// Requests in flight on some containers, and whether that could be told.
    pub(super) fn in_flight(&self, containers: &[Container]) -> Result<(u64, bool), SwapError> {
        let (mut sum, mut known) = (0, true);
        let seen = self.look(containers)?;
        for container in containers {
            let told = seen.iter().find(|s| s.name == container.name).map(|s| s.in_flight);
            let counted = match told {
                Some(Some(count)) => Some(count),
                // The balancer can't tell, or knows it no more: the connections themselves are counted.
                _ => self.patiently(|| {
                    Ok(sockets::in_flight(&self.plan.engine, &container.id, self.readiness.port)?)
                })?,
            };
            sum += counted.unwrap_or(0);
            known &= counted.is_some();
        }
        Ok((sum, known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_instances_are_drained_when_two_looks_in_a_row_found_nothing_and_could_tell() {
        let proven = |looks: &[(u64, bool)]| {
            let mut emptiness = Emptiness::default();
            looks.iter().map(|(flying, known)| emptiness.proven(*flying, *known)).collect::<Vec<_>>()
        };
        assert_eq!(proven(&[(0, true), (0, true)]), [false, true]);
        assert_eq!(
            proven(&[(0, false), (0, true), (0, true)]),
            [false, false, true],
            "the first could not tell"
        );
        assert_eq!(proven(&[(0, true), (3, true), (0, true)]), [false, false, false]);
        assert_eq!(proven(&[(0, false), (0, false), (0, false)]), [false, false, false]);
    }

    #[test]
    fn what_was_not_measured_is_not_said_to_be_zero() {
        let left = |flying, drained| Left { flying, drained }.cut();
        assert_eq!(left(0, Truth::unknown(NOT_MEASURED)), None);
        assert_eq!((left(0, Truth::Yes), left(2, Truth::No)), (Some(0), Some(2)));
    }
}
