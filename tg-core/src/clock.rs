//! Times as they stand in names and manifests, always UTC.

use std::time::{Instant, SystemTime};

/// How far the clocks of two hosts may differ without a word, s.
const SKEW_S: u64 = 60;

/// Since a moment, ms.
#[must_use]
pub fn milliseconds(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// `2026-11-23T07:45:00Z`.
#[must_use]
pub fn rfc3339(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// `20261123T074500Z`, for directory names.
#[must_use]
pub fn compact(at: SystemTime) -> String {
    rfc3339(at).replace(['-', ':'], "")
}

/// `20261123074500`, for database names.
#[must_use]
pub fn digits(at: SystemTime) -> String {
    rfc3339(at).replace(['-', ':', 'T', 'Z'], "")
}

/// Seconds since 1970 of a time that [`rfc3339`] wrote.
#[must_use]
pub fn seconds(time: &str) -> Option<u64> {
    Some(millis(time)? / 1000)
}

/// Milliseconds since 1970 of a time that [`rfc3339`] wrote.
#[must_use]
pub fn millis(time: &str) -> Option<u64> {
    let at = humantime::parse_rfc3339(time).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(at.as_millis()).ok()
}

/// `2026-11-23T07:45:00Z` of a name that begins with `20261123T074500Z`.
#[must_use]
pub fn of_compact(name: &str) -> Option<String> {
    let at = |range: std::ops::Range<usize>| name.get(range);
    let (date, time) = (at(0..8)?, at(9..15)?);
    let all = date.bytes().chain(time.bytes()).all(|b| b.is_ascii_digit());
    all.then(|| {
        let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
        format!("{year}-{month}-{day}T{}:{}:{}Z", &time[..2], &time[2..4], &time[4..])
    })
}

/// Seconds since a time that [`rfc3339`] wrote; nothing where it can't be read, or has not come yet.
#[must_use]
pub fn age_s(created: &str) -> Option<u64> {
    age_at(created, now_s())
}

/// Whether a time that [`rfc3339`] wrote has not come yet: either clock may be wrong, and no age can be told.
#[must_use]
pub fn is_future(created: &str) -> bool {
    seconds(created).is_some_and(|at| is_ahead(at, now_s()))
}

/// Whether a moment is further ahead of another than the clocks of two hosts differ.
#[must_use]
pub fn is_ahead(at_s: u64, now_s: u64) -> bool {
    at_s > now_s.saturating_add(SKEW_S)
}

fn age_at(created: &str, now_s: u64) -> Option<u64> {
    let at = seconds(created)?;
    (!is_ahead(at, now_s)).then(|| now_s.saturating_sub(at))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn what_is_dated_in_the_future_has_no_age() {
        assert_eq!(age_at("2026-11-23T07:45:00Z", 1_795_419_900), Some(0));
        assert_eq!(age_at("2026-11-23T07:45:00Z", 1_795_419_960), Some(60));
        assert_eq!(
            age_at("2026-11-23T07:45:00Z", 1_795_419_900 - SKEW_S),
            Some(0),
            "clocks differ by moments"
        );
        assert_eq!(age_at("2026-11-23T07:45:00Z", 1_795_419_899 - SKEW_S), None);
        assert_eq!(age_at("yesterday", 1_795_419_900), None);
        assert!(
            is_future("2999-01-01T00:00:00Z") && !is_future("2020-01-01T00:00:00Z") && !is_future("soon")
        );
    }

    proptest! {
        #[test]
        fn a_name_s_time_is_the_one_that_was_written_in_it(s in 0u64..200_000_000_000) {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(s);
            prop_assert_eq!(of_compact(&format!("{}-x", compact(at))), Some(rfc3339(at)));
        }

        #[test]
        fn no_name_makes_it_stumble(name in ".{0,20}") {
            let _ = of_compact(&name);
        }
    }
}
