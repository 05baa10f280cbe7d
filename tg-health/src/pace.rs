//! How long to wait between two rounds.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// The first pause: a boot of a second is seen a tenth late.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause: who waits minutes does not mind two seconds.
const LONGEST: Duration = Duration::from_secs(2);
/// Grows by one half each time.
const GROWTH: f64 = 1.5;
/// A pause is up to this much shorter, so that many waiters don't knock at the same moment.
const JITTER: f64 = 0.2;

/// A growing pause.
pub(crate) struct Pace {
    next: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { next: SHORTEST }
    }
}

impl Pace {
    /// The pause before the next round.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(1.0 - JITTER * fraction());
        self.next = self.next.mul_f64(GROWTH).min(LONGEST);
        pause
    }

    /// Things begin to move: look closely again.
    pub(crate) fn quicken(&mut self) {
        self.next = SHORTEST;
    }
}

/// A number from 0 to 1. The standard library seeds each of its hashers at random, and more
/// randomness than that a jitter does not need.
fn fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_from_a_tenth_of_a_second_to_two_and_never_beyond() {
        let mut pace = Pace::default();
        let pauses: Vec<_> = (0..20).map(|_| pace.pause()).collect();
        assert!(pauses[0] <= SHORTEST && pauses[0] >= SHORTEST.mul_f64(1.0 - JITTER));
        assert!(pauses.iter().all(|p| *p <= LONGEST));
        assert!(pauses[19] >= LONGEST.mul_f64(1.0 - JITTER));
        pace.quicken();
        assert!(pace.pause() <= SHORTEST);
    }
}
