//! The same again, when what went wrong may pass.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use crate::s3::error::Error;
use crate::s3::watch::{Check, TICK};

const TRIES: u32 = 5;
/// The first pause at its longest; each one after it is twice as long.
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(4) } else { Duration::from_secs(1) };

/// Why a try failed.
#[derive(Debug)]
pub(super) struct Trouble {
    pub error: Error,
    /// Whether another try makes sense.
    passing: bool,
    /// Whether this try got further than the one before: then patience begins anew.
    progress: bool,
}

impl Trouble {
    /// Nothing will make it better.
    pub(super) fn lasting(error: impl Into<Error>) -> Self {
        Trouble { error: error.into(), passing: false, progress: false }
    }

    /// It may be gone in a moment.
    pub(super) fn passing(error: Error) -> Self {
        Trouble { error, passing: true, progress: false }
    }

    /// The same, of a try that may have got further than the one before.
    pub(super) fn after(self, progress: bool) -> Self {
        Trouble { progress, ..self }
    }
}

/// Tries until it works, until trouble lasts, or until there is no time left.
pub(super) fn retry<T>(check: Check, mut attempt: impl FnMut() -> Result<T, Trouble>) -> Result<T, Error> {
    let mut failed = 0;
    loop {
        check()?;
        let trouble = match attempt() {
            Ok(done) => return Ok(done),
            Err(trouble) => trouble,
        };
        failed = if trouble.progress { 1 } else { failed + 1 };
        if !trouble.passing || failed == TRIES {
            return Err(trouble.error);
        }
        rest(check, pause(failed, random()))?;
    }
}

/// Between half and all of the time, so that many clients don't come back at once.
fn pause(failed: u32, random: u64) -> Duration {
    let longest = PAUSE * (1 << (failed - 1));
    let parts = u32::try_from(random % 1000).unwrap_or_default();
    longest / 2 + longest / 2 * parts / 1000
}

/// Any number: the standard library seeds each of its hash maps with one.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn rest(check: Check, time: Duration) -> Result<(), Error> {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        check()?;
        thread::sleep(left.min(TICK));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fake::never;

    fn passing() -> Trouble {
        Trouble::passing(Error::NoBucket("b".into()))
    }

    #[test]
    fn trouble_that_passes_is_tried_five_times_and_lasting_trouble_once() {
        let mut tries = 0;
        let mut attempt = |trouble: fn() -> Trouble| {
            tries = 0;
            let result = retry::<()>(&never, || {
                tries += 1;
                Err(trouble())
            });
            assert!(matches!(result, Err(Error::NoBucket(_))));
            tries
        };
        assert_eq!(attempt(passing), 5);
        assert_eq!(attempt(|| Trouble::lasting(Error::NoBucket("b".into()))), 1);
    }

    #[test]
    fn progress_makes_patience_begin_anew() {
        let mut tries = 0;
        let result = retry(&never, || {
            tries += 1;
            if tries == 20 { Ok(tries) } else { Err(passing().after(tries % 4 == 0)) }
        });
        assert_eq!(result.unwrap(), 20);
    }

    #[test]
    fn pauses_grow_and_differ() {
        assert_eq!(pause(1, 0), PAUSE / 2);
        assert_eq!(pause(4, 0), PAUSE * 4);
        assert!(pause(4, 999) > PAUSE * 7 && pause(4, 999) < PAUSE * 8);
    }

    #[test]
    fn whoever_gives_up_is_not_made_to_wait() {
        let begun = Instant::now();
        let stop =
            || if begun.elapsed().as_millis() > 20 { Err(tg_core::Error::Interrupted) } else { Ok(()) };
        let error = rest(&stop, Duration::from_mins(1)).unwrap_err();
        assert!(matches!(error, Error::Core(tg_core::Error::Interrupted)));
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
