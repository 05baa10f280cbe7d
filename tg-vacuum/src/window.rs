//! When maintenance has to be over: a time that may be spent, or a time of the day.

use std::str::FromStr;
use std::time::{Duration, Instant};

use jiff::civil::Time;
use jiff::{ToSpan, Zoned};
use serde_json::{Value, json};

/// A time of each day in which maintenance is welcome, in this host's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    from: Time,
    to: Time,
}

impl FromStr for Window {
    type Err = String;

    /// `02:00-05:00`; one that ends before it begins goes over midnight.
    fn from_str(text: &str) -> Result<Self, String> {
        let time = |part: &str| {
            let part = part.trim();
            let hours_and_minutes = part.len() == 5 && part.as_bytes()[2] == b':';
            let parsed = hours_and_minutes.then(|| Time::strptime("%H:%M", part).ok()).flatten();
            parsed.ok_or_else(|| format!("'{part}' is no time of day, HH:MM"))
        };
        let (from, to) =
            text.split_once('-').ok_or("a window is HH:MM-HH:MM, such as 02:00-05:00".to_owned())?;
        let window = Window { from: time(from)?, to: time(to)? };
        if window.from == window.to { Err("it begins when it ends".into()) } else { Ok(window) }
    }
}

impl Window {
    /// How long it is open yet; where it is closed, when it opens (RFC 3339, local).
    pub(crate) fn left(self, now: &Zoned) -> Result<Duration, String> {
        let midnight = |days: i64| now.date().checked_add(days.days());
        let at = |days: i64, time: Time| {
            midnight(days)
                .and_then(|date| date.to_datetime(time).to_zoned(now.time_zone().clone()))
                .map_err(|e| e.to_string())
        };
        // It may have begun yesterday.
        for day in [-1, 0] {
            let (begin, end) = (at(day, self.from)?, at(day + i64::from(self.to < self.from), self.to)?);
            if begin <= *now && *now < end {
                return now.duration_until(&end).try_into().map_err(|_| "it is over".to_owned());
            }
        }
        let today = at(0, self.from)?;
        let next = if today > *now { today } else { at(1, self.from)? };
        Err(next.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.from.strftime("%H:%M"), self.to.strftime("%H:%M"))
    }
}

/// The time that a run may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    begun: Instant,
    whole: Option<Duration>,
}

impl Budget {
    /// As long as it takes where nothing is said.
    pub(crate) fn of(whole: Option<Duration>) -> Self {
        Budget { begun: Instant::now(), whole }
    }

    /// Whether there is an end at all.
    pub(crate) fn is_limited(self) -> bool {
        self.whole.is_some()
    }

    /// All of it.
    pub(crate) fn whole(self) -> Option<Duration> {
        self.whole
    }

    /// What is left of it; `None` where it has no end.
    pub(crate) fn left(self) -> Option<Duration> {
        Some(self.whole?.saturating_sub(self.begun.elapsed()))
    }

    /// Whether it is over.
    pub(crate) fn is_over(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// For a line of output, in ms.
    pub(crate) fn data(self) -> Value {
        json!(self.whole.map(|whole| whole.as_millis()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;
    use jiff::tz::TimeZone;

    use super::*;

    /// Minutes that are left in Berlin, by its rule: no database of time zones is needed.
    fn left(window: &str, now: &str) -> Result<u64, String> {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now: DateTime = now.parse().unwrap();
        let window: Window = window.parse().unwrap();
        window.left(&now.to_zoned(berlin).unwrap()).map(|left| left.as_secs() / 60)
    }

    #[test]
    fn a_window_is_open_from_its_first_minute_to_before_its_last_also_over_midnight() {
        assert_eq!(left("02:00-05:00", "2026-03-01T02:00"), Ok(180));
        assert_eq!(left("23:00-01:30", "2026-03-01T23:30"), Ok(120));
        assert_eq!(left("23:00-01:30", "2026-03-02T00:30"), Ok(60));
        let closed = |window, now| left(window, now).unwrap_err();
        assert_eq!(closed("02:00-05:00", "2026-03-01T05:00"), "2026-03-02T02:00:00+01:00");
        assert_eq!(closed("23:00-01:30", "2026-03-01T12:00"), "2026-03-01T23:00:00+01:00");
    }

    #[test]
    fn an_hour_that_the_clock_skips_is_not_maintained_in() {
        // In Berlin 02:00 to 03:00 does not exist on 2026-03-29, and comes twice on 2026-10-25.
        assert_eq!(left("01:00-05:00", "2026-03-29T01:30"), Ok(150));
        assert_eq!(left("01:00-05:00", "2026-10-25T01:30"), Ok(270));
    }

    #[test]
    fn what_is_no_window_is_told() {
        for bad in ["2-5", "02:00", "02:00-24:00", "02:00-02:00", "2:00-5:00", "02:60-03:00", "a-b"] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
        assert_eq!("02:00-05:30".parse::<Window>().unwrap().to_string(), "02:00-05:30");
    }
}
