//! How all targets stand together: whether it is decided, and what is said of it.

use std::time::Instant;

use serde_json::{Value, json};
use tg_core::Answer as Outcome;

use crate::config::Config;
use crate::error::Error;
use crate::report;
use crate::seat::Seat;

/// All targets at one moment of a check or a wait.
pub(crate) struct Standing<'a> {
    pub(crate) config: &'a Config,
    pub(crate) seats: &'a [Seat],
    pub(crate) begun: Instant,
    /// Why it is not known whether these are all the targets that there are now.
    pub(crate) away: Option<&'a str>,
}

impl Standing<'_> {
    /// Whether it is decided, and how.
    pub(crate) fn decided(&self) -> Option<Result<Outcome, Error>> {
        let ready = |seat: &Seat| seat.is_ready(self.config.streaks);
        let well = if self.config.any { self.seats.iter().any(ready) } else { self.seats.iter().all(ready) };
        if well && !self.seats.is_empty() && self.away.is_none() {
            return Some(Ok(self.yes()));
        }
        if self.config.deadline.passed() {
            let reasons = self.reasons();
            return Some(Err(Error::NotInTime { reasons, summary: self.data(false) }));
        }
        if self.config.wait.is_some() {
            return None;
        }
        let unready = |seat: &Seat| seat.is_unready(self.config.streaks);
        let asked = self.seats.iter().all(|seat| ready(seat) || unready(seat));
        asked.then(|| self.no())
    }

    fn yes(&self) -> Outcome {
        let n = self.seats.len();
        let what = match (n, self.config.any) {
            (1, _) => "it is".to_owned(),
            (n, true) => format!("one of {n} targets is"),
            (n, false) => format!("all {n} targets are"),
        };
        Outcome::yes(
            format!("{what} ready after {:.1} s", self.begun.elapsed().as_secs_f64()),
            self.data(true),
        )
    }

    fn no(&self) -> Result<Outcome, Error> {
        let (reasons, summary) = (self.reasons(), self.data(false));
        if self.seats.iter().filter_map(|seat| seat.verdict.as_ref()).any(|verdict| verdict.environment) {
            return Err(Error::CannotAsk { reasons, summary });
        }
        Ok(Outcome::no(format!("not ready: {}", report::sentence(&reasons)), summary))
    }

    fn reasons(&self) -> Vec<(String, String)> {
        let unready = self.seats.iter().filter(|seat| !seat.is_ready(self.config.streaks));
        let reason = |seat: &Seat| match &seat.verdict {
            Some(verdict) if verdict.ready => "it has not been ready often enough in a row".to_owned(),
            Some(verdict) => verdict.reason.clone().unwrap_or_default(),
            None => "it has not answered yet".to_owned(),
        };
        let unready = unready.map(|seat| (seat.target.name.clone(), reason(seat)));
        unready.chain(self.away.map(|why| ("docker".to_owned(), why.to_owned()))).collect()
    }

    /// What the result says of them.
    pub(crate) fn data(&self, ready: bool) -> Value {
        let since = |at: Instant| (at - self.begun).as_millis();
        let first = self.seats.iter().map(|seat| seat.first_good);
        let stable = self.seats.iter().map(Seat::stable_since);
        // Of all of them the last, of any the first.
        let moment = |all: Vec<Option<Instant>>| {
            if self.config.any {
                all.into_iter().flatten().min()
            } else {
                all.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()
            }
        };
        let mut data = json!({
            "ready": ready, "waited_ms": self.begun.elapsed().as_millis(), "targets": self.seats.len(),
            "attempts": self.seats.iter().map(|seat| seat.asks).max(), "flaps": self.seats.iter().map(|seat| seat.flaps).sum::<u32>(),
        });
        if let Some(first) = moment(first.collect()) {
            data["first_ready_ms"] = json!(since(first));
        }
        if let (true, Some(stable)) = (ready, moment(stable.collect())) {
            data["stable_ms"] = json!(since(stable));
        }
        data
    }
}
