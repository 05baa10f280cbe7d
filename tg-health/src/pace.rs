//! How long to wait between two questions to one target.

use std::time::Duration;

/// Readiness is seen at most this part of the whole wait late: who waits for long does not mind.
const PART: u32 = 500;
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);
/// What asking takes of the target's time: a slow one is not asked all the time.
const COST: u32 = 4;
/// A pause is up to this much shorter, so that many waiters don't knock at the same moment.
const JITTER: f64 = 0.2;
/// Between good answers that are counted: two in the same moment tell no more than one.
pub(crate) const BETWEEN_GOOD: Duration = Duration::from_millis(100);

/// The pause after an answer that took so long, in a wait that has gone on for so long.
pub(crate) fn pause(waited: Duration, took: Duration) -> Duration {
    let pause = (waited / PART).clamp(SHORTEST, LONGEST).max((took * COST).min(LONGEST));
    pause.mul_f64(1.0 - JITTER * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_a_small_part_of_the_wait_within_bounds_and_longer_for_who_is_slow() {
        let near =
            |pause: Duration, wanted: Duration| pause <= wanted && pause >= wanted.mul_f64(1.0 - JITTER);
        let quick = Duration::from_millis(1);
        assert!(near(pause(Duration::ZERO, quick), SHORTEST));
        assert!(near(pause(Duration::from_secs(50), quick), Duration::from_millis(100)));
        assert!(near(pause(Duration::from_hours(1), quick), LONGEST));
        assert!(near(pause(Duration::ZERO, Duration::from_millis(50)), Duration::from_millis(200)));
        assert!(near(pause(Duration::ZERO, Duration::from_mins(1)), LONGEST));
    }
}
