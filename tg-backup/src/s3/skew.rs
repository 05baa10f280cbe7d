//! How far this host's clock is from a store's. A signature holds the time, and a store refuses an old one.

use std::time::{Duration, SystemTime};

/// What AWS tolerates, and how long our signatures are valid.
pub(super) const TOLERANCE: Duration = Duration::from_mins(15);

/// A difference that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skew {
    by: Duration,
    /// Whether it is this host's clock that is ahead.
    ahead: bool,
}

impl Skew {
    /// Compares with the `Date` header of an answer that has just come.
    pub(super) fn find(date: &str, now: SystemTime) -> Option<Self> {
        let there = http_date(date)?;
        let skew = match now.duration_since(there) {
            Ok(by) => Skew { by, ahead: true },
            Err(e) => Skew { by: e.duration(), ahead: false },
        };
        (skew.by >= TOLERANCE).then_some(skew)
    }
}

impl std::fmt::Display for Skew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = humantime::format_duration(Duration::from_secs(self.by.as_secs()));
        write!(f, "{by} {} the store's", if self.ahead { "ahead of" } else { "behind" })
    }
}

/// `Wed, 25 Nov 2026 03:41:05 GMT`, the form that RFC 9110 section 5.6.7 wants of every server.
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { return None };
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? / 3 + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_by_hours_is_found_and_one_by_minutes_is_not() {
        let date = "Wed, 25 Nov 2026 03:41:05 GMT";
        let at = |text| humantime::parse_rfc3339(text).unwrap();
        let ahead = Skew::find(date, at("2026-11-25T05:41:07Z")).unwrap();
        assert_eq!(ahead.to_string(), "2h 2s ahead of the store's");
        let behind = Skew::find(date, at("2026-11-25T03:00:00Z")).unwrap();
        assert_eq!(behind.to_string(), "41m 5s behind the store's");
        assert_eq!(Skew::find(date, at("2026-11-25T03:50:00Z")), None);
        assert_eq!(Skew::find("yesterday", SystemTime::now()), None);
    }
}
