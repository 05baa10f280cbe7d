//! How far long work has come, and when it will be done.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Progress is told at most this often.
const EVERY: Duration = Duration::from_secs(1);

/// The work that is being told of.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    told: Option<Instant>,
    /// What it is called, when it was heard of first, and how far it was then.
    work: Option<(String, Instant, u64)>,
}

impl Progress {
    /// What to tell now, if it is time to: `done` of `total`, and `eta_ms`, what is left at the pace since
    /// this work was first heard of (null while that is not known).
    pub(crate) fn tell(
        &mut self,
        now: Instant,
        msg: &str,
        (done, total): (u64, u64),
        unit: &str,
    ) -> Option<Value> {
        if self.work.as_ref().is_none_or(|(name, ..)| name != msg) {
            self.work = Some((msg.to_owned(), now, done));
        }
        if self.told.is_some_and(|told| now.duration_since(told) < EVERY) {
            return None;
        }
        self.told = Some(now);
        let (_, begun, first) = self.work.as_ref()?;
        let (spent, came) = (now.duration_since(*begun).as_millis(), u128::from(done.saturating_sub(*first)));
        let eta = (spent * u128::from(total.saturating_sub(done))).checked_div(came);
        Some(json!({"done": done, "total": total, "unit": unit, "eta_ms": eta}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_from_the_pace_of_the_same_work() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut progress = Progress::default();
        let eta = |told: Option<Value>| told.unwrap()["eta_ms"].clone();
        assert_eq!(eta(progress.tell(begun, "dumping", (100, 1000), "bytes")), Value::Null, "no pace yet");
        assert_eq!(progress.tell(begun, "dumping", (200, 1000), "bytes"), None, "told a moment ago");
        assert_eq!(eta(progress.tell(after(10), "dumping", (400, 1000), "bytes")), 20_000);
        assert_eq!(eta(progress.tell(after(20), "copying", (0, 10), "files")), Value::Null, "other work");
        assert_eq!(eta(progress.tell(after(22), "copying", (10, 10), "files")), 0);
    }
}
