//! Which backups a policy keeps, in the words and by the rules of restic's `forget`.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;

/// What to keep. Of each period the newest proven backup counts.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the names of the flags, which are restic's")]
#[group(id = "policy", required = true, multiple = true)]
pub(crate) struct Policy {
    /// The newest N
    #[arg(long, value_name = "N", value_parser = number)]
    pub keep_last: Option<u32>,
    /// One for each of the last N hours that have one
    #[arg(long, value_name = "N", value_parser = number)]
    pub keep_hourly: Option<u32>,
    /// One for each of the last N days that have one
    #[arg(long, value_name = "N", value_parser = number)]
    pub keep_daily: Option<u32>,
    /// One for each of the last N weeks that have one
    #[arg(long, value_name = "N", value_parser = number)]
    pub keep_weekly: Option<u32>,
    /// One for each of the last N months that have one
    #[arg(long, value_name = "N", value_parser = number)]
    pub keep_monthly: Option<u32>,
    /// One for each of the last N years that have one
    #[arg(long, value_name = "N", value_parser = number)]
    pub keep_yearly: Option<u32>,
    /// All that are at most so much older than the newest, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub keep_within: Option<Duration>,
    /// One an hour of those
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub keep_within_hourly: Option<Duration>,
    /// One a day of those
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub keep_within_daily: Option<Duration>,
    /// One a week of those
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub keep_within_weekly: Option<Duration>,
    /// One a month of those
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub keep_within_monthly: Option<Duration>,
    /// One a year of those
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub keep_within_yearly: Option<Duration>,
}

/// A number of backups; `unlimited` as restic writes it.
fn number(text: &str) -> Result<u32, String> {
    if text == "unlimited" {
        return Ok(u32::MAX);
    }
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a number from 1 on, or unlimited".into())
}

/// A backup as the policy sees it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Seconds since 1970.
    pub at_s: u64,
    /// The same as RFC 3339, UTC.
    pub created: String,
    pub verified: bool,
    /// By an upgrade that has not ended.
    pub needed: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    pub keep: bool,
    pub reasons: Vec<String>,
}

impl Verdict {
    pub(crate) fn kept(reason: &str) -> Self {
        Verdict { keep: true, reasons: vec![reason.into()] }
    }

    fn removed(reason: &str) -> Self {
        Verdict { keep: false, reasons: vec![reason.into()] }
    }
}

/// A length of time that has a name of its own.
type Period = fn(&Candidate) -> u64;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// 1970 began on a Thursday; weeks begin on Mondays.
fn week(c: &Candidate) -> u64 {
    (c.at_s / DAY + 3) / 7
}

/// `YYYYMM` or `YYYY` out of RFC 3339.
fn calendar(c: &Candidate, letters: usize) -> u64 {
    let digits = c.created.get(..letters).unwrap_or_default().replace('-', "");
    digits.parse().unwrap_or(0)
}

impl Policy {
    fn rules(&self) -> [(&'static str, Period, Option<u32>, Option<Duration>); 6] {
        [
            // Each moment is a period of its own; two of one second are told by their place.
            ("last", |c| c.at_s, self.keep_last, self.keep_within),
            ("hourly", |c| c.at_s / HOUR, self.keep_hourly, self.keep_within_hourly),
            ("daily", |c| c.at_s / DAY, self.keep_daily, self.keep_within_daily),
            ("weekly", week, self.keep_weekly, self.keep_within_weekly),
            ("monthly", |c| calendar(c, 7), self.keep_monthly, self.keep_within_monthly),
            ("yearly", |c| calendar(c, 4), self.keep_yearly, self.keep_within_yearly),
        ]
    }

    /// Which proven backups, newest first, each rule keeps.
    fn keeps(&self, proven: &[&Candidate]) -> Vec<Vec<String>> {
        let newest = proven.first().map_or(0, |c| c.at_s);
        let mut reasons = vec![Vec::new(); proven.len()];
        for (name, period, count, within) in self.rules() {
            let mut seen = HashSet::new();
            let every = name == "last";
            for (i, candidate) in proven.iter().enumerate() {
                if !seen.insert(period(candidate)) && !every {
                    continue;
                }
                let place = if every { i + 1 } else { seen.len() };
                if count.is_some_and(|n| place <= n as usize) {
                    reasons[i].push(format!("{name} {place}"));
                }
                let age = Duration::from_secs(newest.saturating_sub(candidate.at_s));
                if within.is_some_and(|limit| age <= limit) {
                    let within = if every { "within".to_owned() } else { format!("within {name}") };
                    reasons[i].push(within);
                }
            }
        }
        reasons
    }
}

/// A verdict on each backup of one database; they come newest first.
pub(crate) fn judge(candidates: &[Candidate], policy: &Policy) -> Vec<Verdict> {
    let proven: Vec<&Candidate> = candidates.iter().filter(|c| c.verified).collect();
    let mut reasons = policy.keeps(&proven).into_iter();
    let mut newest_proven_seen = false;
    candidates
        .iter()
        .map(|candidate| {
            let mut why = if candidate.verified { reasons.next().unwrap_or_default() } else { Vec::new() };
            if candidate.needed {
                why.push("an upgrade that has not ended needs it".into());
            }
            if candidate.verified && !newest_proven_seen {
                newest_proven_seen = true;
                why.push("newest verified".into());
            }
            if !why.is_empty() {
                return Verdict { keep: true, reasons: why };
            }
            match (candidate.verified, newest_proven_seen, proven.is_empty()) {
                (true, ..) => Verdict::removed("no rule keeps it"),
                (false, _, true) => Verdict::kept("no backup is verified, so none can be spared"),
                (false, false, _) => Verdict::kept("not verified yet, and newer than any that is"),
                (false, true, _) => Verdict::removed("not verified, and a newer one is"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: u64 = 1_790_000_000;

    fn candidate(at_s: u64, verified: bool) -> Candidate {
        let at = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(at_s);
        let created = tg_core::clock::rfc3339(at);
        Candidate { at_s, created, verified, needed: false }
    }

    /// Hours before the start, newest first.
    fn at_hours(hours: &[u64]) -> Vec<Candidate> {
        hours.iter().map(|h| candidate(START - h * HOUR, true)).collect()
    }

    fn kept(candidates: &[Candidate], policy: &Policy) -> Vec<usize> {
        let verdicts = judge(candidates, policy);
        (0..verdicts.len()).filter(|&i| verdicts[i].keep).collect()
    }

    #[test]
    fn of_each_period_the_newest_is_kept() {
        let hours: Vec<u64> = (0..100).collect();
        let daily = Policy { keep_daily: Some(3), ..Policy::default() };
        let days: Vec<u64> =
            kept(&at_hours(&hours), &daily).iter().map(|&i| (START - hours[i] * HOUR) / DAY).collect();
        let today = START / DAY;
        assert_eq!(days, [today, today - 1, today - 2]);
        let last = Policy { keep_last: Some(2), ..Policy::default() };
        assert_eq!(kept(&at_hours(&[0, 0, 5, 9]), &last), [0, 1]);
        let within = Policy { keep_within: Some(Duration::from_hours(5)), ..Policy::default() };
        assert_eq!(kept(&at_hours(&[0, 1, 5, 6]), &within), [0, 1, 2]);
    }

    #[test]
    fn periods_without_a_backup_do_not_count() {
        let weekly = Policy { keep_weekly: Some(2), ..Policy::default() };
        assert_eq!(kept(&at_hours(&[0, 24 * 70, 24 * 71, 24 * 700]), &weekly).len(), 2);
        let monthly = Policy { keep_monthly: Some(9), ..Policy::default() };
        assert_eq!(kept(&at_hours(&[0, 24 * 40, 24 * 400]), &monthly), [0, 1, 2]);
    }

    #[test]
    fn only_proven_ones_count() {
        let last = Policy { keep_last: Some(1), ..Policy::default() };
        let mixed = [false, false, true, false, true].map(|verified| verified);
        let candidates: Vec<_> =
            mixed.iter().zip(0..).map(|(&v, h)| candidate(START - h * HOUR, v)).collect();
        assert_eq!(kept(&candidates, &last), [0, 1, 2], "newer ones may become proven");
        let none: Vec<_> = (0..4).map(|h| candidate(START - h * HOUR, false)).collect();
        assert_eq!(kept(&none, &last), [0, 1, 2, 3]);
    }

    #[test]
    fn what_an_upgrade_needs_stays() {
        let mut candidates = at_hours(&[0, 1, 2, 3]);
        candidates[3].needed = true;
        assert_eq!(kept(&candidates, &Policy { keep_last: Some(1), ..Policy::default() }), [0, 3]);
    }

    fn policies() -> impl Strategy<Value = Policy> {
        let count = prop::option::of(1u32..5);
        let within = prop::option::of((0u64..400).prop_map(Duration::from_hours));
        (count.clone(), count.clone(), count.clone(), count, within.clone(), within).prop_map(
            |(keep_last, keep_daily, keep_weekly, keep_yearly, keep_within, keep_within_daily)| Policy {
                keep_last,
                keep_daily,
                keep_weekly,
                keep_yearly,
                keep_within,
                keep_within_daily,
                ..Policy::default()
            },
        )
    }

    proptest! {
        #[test]
        fn the_newest_proven_one_stays_and_nothing_goes_without_a_proven_one_in_its_place(
            all in prop::collection::vec((0u64..5000, any::<bool>()), 0..40), policy in policies(),
        ) {
            let mut all = all;
            all.sort_unstable();
            let candidates: Vec<_> = all.iter().map(|&(h, v)| candidate(START - h * HOUR, v)).collect();
            let verdicts = judge(&candidates, &policy);
            let newest = candidates.iter().position(|c| c.verified);
            prop_assert!(newest.is_none_or(|i| verdicts[i].keep));
            for (i, verdict) in verdicts.iter().enumerate() {
                prop_assert!(verdict.keep || newest.is_some_and(|n| n < i));
                prop_assert!(!verdict.reasons.is_empty());
            }
        }

        #[test]
        fn a_more_generous_policy_keeps_no_less(
            hours in prop::collection::vec(0u64..5000, 0..40), policy in policies(), more in 1u32..4,
        ) {
            let mut hours = hours;
            hours.sort_unstable();
            let candidates = at_hours(&hours);
            let generous = Policy {
                keep_last: Some(policy.keep_last.unwrap_or(0) + more),
                keep_daily: Some(policy.keep_daily.unwrap_or(0) + more),
                ..policy.clone()
            };
            let (few, many) = (kept(&candidates, &policy), kept(&candidates, &generous));
            prop_assert!(few.iter().all(|i| many.contains(i)));
        }
    }
}
