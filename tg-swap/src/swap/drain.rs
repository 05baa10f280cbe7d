//! Old instances out of rotation, until nothing is in flight on them.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;

use crate::error::SwapError;
use crate::swap::options::OnDrainTimeout;
use crate::swap::{Phase, Swap};
use tg_core::balancer::{Duty, sockets};

/// Between two looks; nothing must be in flight on two in a row.
const LOOK: Duration = Duration::from_millis(100);

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
        let cut =
            self.step("drain", &format!("drain {}", names.join(", ")), json!({"containers": names}), || {
                self.assign(&posts)?;
                self.await_seen(&names, |seen| !seen.takes_new)?;
                let cut = self.await_empty(&leaving, || self.assign(&posts))?;
                Ok((cut, json!({"containers": names, "cut": cut})))
            })?;
        self.intent.cut += cut;
        if cut > 0 {
            self.intent.write(&self.state)?;
            let msg = format!("{cut} requests did not end in time and will be cut");
            self.session.emit.warning("cut", &msg, json!({"cut": cut, "containers": names}))?;
        }
        Ok(())
    }

    /// How many requests did not end in time: none, unless they may be cut.
    fn await_empty(
        &self,
        leaving: &[Container],
        again: impl Fn() -> Result<(), SwapError>,
    ) -> Result<u64, SwapError> {
        let begun = Instant::now();
        let mut empty = 0;
        let mut unknown_told = false;
        loop {
            let (flying, known) = self.in_flight(leaving)?;
            empty = if flying == 0 { empty + 1 } else { 0 };
            if empty >= 2 && known {
                return Ok(0);
            }
            if !known && !unknown_told {
                unknown_told = true;
                let msg = "nobody can tell what is in flight; waiting for the whole --drain-timeout";
                self.session.emit.warning("not-measured", msg, json!({}))?;
            }
            if begun.elapsed() > self.intent.options.pace.drain_timeout {
                // On the way back nothing is left to go back to.
                let may_cut = self.intent.options.pace.on_drain_timeout == OnDrainTimeout::Cut
                    || self.intent.phase == Phase::Back;
                return if !known || may_cut { Ok(flying) } else { Err(SwapError::DrainTimeout(flying)) };
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
