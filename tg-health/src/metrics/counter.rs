//! A counter over time: it only grows, and begins again at 0 when its process does.

use std::collections::VecDeque;
use std::time::Duration;

/// What was read of a counter, and when, since the beginning of the watch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter {
    read: VecDeque<(Duration, f64)>,
}

impl Counter {
    /// Adds what was read; what is older than this is forgotten, but for one that the window begins with.
    pub(crate) fn read(&mut self, at: Duration, value: f64, keep: Duration) {
        self.read.push_back((at, value));
        while self.read.len() > 2 && self.read[1].0 + keep <= at {
            self.read.pop_front();
        }
    }

    /// By how much it grew in a window that ends now. A value that is lower than the one before began at 0, as Prometheus' `increase()` has it.
    pub(crate) fn increase(&self, window: Duration) -> Option<f64> {
        let (last, _) = *self.read.back()?;
        let begin = last.saturating_sub(window);
        let within: Vec<f64> =
            self.read.iter().filter(|(at, _)| *at >= begin).map(|(_, value)| *value).collect();
        // One value tells of no growth.
        (within.len() > 1).then(|| {
            within.windows(2).map(|pair| if pair[1] >= pair[0] { pair[1] - pair[0] } else { pair[1] }).sum()
        })
    }

    /// The same a second; nothing as long as nothing is known of half of the window.
    pub(crate) fn rate(&self, window: Duration) -> Option<f64> {
        let (last, _) = *self.read.back()?;
        let first = self.read.iter().find(|(at, _)| *at >= last.saturating_sub(window))?.0;
        let seen = last.saturating_sub(first);
        (seen * 2 >= window && !seen.is_zero())
            .then(|| self.increase(window))
            .flatten()
            .map(|grown| grown / seen.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(values: &[(u64, f64)]) -> Counter {
        let mut counter = Counter::default();
        for (at, value) in values {
            counter.read(Duration::from_secs(*at), *value, Duration::from_mins(1));
        }
        counter
    }

    #[test]
    fn a_counter_that_begins_again_has_grown_by_what_it_shows() {
        let counter = counter(&[(0, 100.0), (10, 110.0), (20, 5.0), (30, 8.0)]);
        assert_eq!(counter.increase(Duration::from_mins(1)), Some(18.0));
        assert_eq!(counter.increase(Duration::from_secs(10)), Some(3.0));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        assert_eq!(counter(&[]).rate(Duration::from_secs(10)), None);
        assert_eq!(counter(&[(0, 1.0)]).rate(Duration::from_secs(10)), None);
        assert_eq!(counter(&[(0, 0.0), (2, 2.0)]).rate(Duration::from_mins(1)), None, "2 s are not a minute");
        assert_eq!(counter(&[(0, 0.0), (40, 20.0)]).rate(Duration::from_mins(1)), Some(0.5));
    }

    #[test]
    fn memory_does_not_grow_with_time() {
        let mut counter = Counter::default();
        for at in 0..10_000 {
            counter.read(Duration::from_secs(at), 1.0, Duration::from_mins(1));
        }
        assert!(counter.read.len() <= 62);
    }
}
