//! Failures among requests, judged after each one: Wald's sequential probability ratio test ("Sequential Tests of Statistical Hypotheses", 1945).
//! It says no as soon as the numbers allow, and as seldom wrongly as it was told, however often it is asked.

/// Wrongly no: once in a thousand watches.
const FALSE_ALARM: f64 = 0.001;
/// Wrongly yes, among those whose failures are as many as are not tolerated.
const MISSED: f64 = 0.05;
/// No application is judged by less than one failure in a thousand.
const FEWEST: f64 = 0.001;
/// What is not tolerated: so many times what was usual, and one in a hundred more.
const TIMES: f64 = 2.0;
const MORE: f64 = 0.01;

/// The evidence so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Errors {
    usual: f64,
    tolerated: f64,
    /// Logarithm of how much likelier the intolerable rate makes what was seen.
    evidence: f64,
    pub(crate) failed: u64,
    pub(crate) requests: u64,
}

impl Errors {
    /// With so many failures among so many requests as what is usual.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    pub(crate) fn beside(failed: u64, requests: u64) -> Self {
        // One failure more than were seen: no failure in ten requests does not promise none in a thousand.
        let usual =
            if requests == 0 { FEWEST } else { ((failed + 1) as f64 / requests as f64).clamp(FEWEST, 0.5) };
        let usual = if failed == 0 { FEWEST } else { usual };
        Errors {
            usual,
            tolerated: (usual * TIMES).max(usual + MORE).min(0.99),
            evidence: 0.0,
            failed: 0,
            requests: 0,
        }
    }

    /// With a share that is allowed, 0 to 1, where nothing is known of what is usual: half of it is well, twice of it is not.
    pub(crate) fn allowing(share: f64) -> Self {
        let share = share.max(FEWEST);
        Errors {
            usual: (share / TIMES).min(0.5),
            tolerated: (share * TIMES).min(0.99),
            evidence: 0.0,
            failed: 0,
            requests: 0,
        }
    }

    /// Adds requests, of which some failed.
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    pub(crate) fn add(&mut self, failed: u64, requests: u64) {
        let well = requests.saturating_sub(failed) as f64;
        self.evidence += failed as f64 * (self.tolerated / self.usual).ln()
            + well * ((1.0 - self.tolerated) / (1.0 - self.usual)).ln();
        // What went well for long must not weigh against what fails now: the test begins anew at its lower end.
        self.evidence = self.evidence.max((MISSED / (1.0 - FALSE_ALARM)).ln());
        self.failed += failed;
        self.requests += requests;
    }

    /// Whether there are too many.
    pub(crate) fn too_many(&self) -> bool {
        self.evidence >= ((1.0 - MISSED) / FALSE_ALARM).ln()
    }

    /// The share that is tolerated, 0 to 1.
    pub(crate) fn tolerated(&self) -> f64 {
        self.tolerated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_hundred_are_too_many_soon_and_one_in_a_thousand_never() {
        let mut bad = Errors::beside(0, 1000);
        let needed = (1..10_000).find(|n| {
            bad.add(u64::from(n % 33 == 0), 1);
            bad.too_many()
        });
        assert!(needed.unwrap() < 400, "{needed:?}");
        let mut good = Errors::beside(0, 1000);
        for n in 1..=100_000_u64 {
            good.add(u64::from(n % 1000 == 0), 1);
            assert!(!good.too_many(), "after {n}");
        }
    }

    #[test]
    fn without_a_baseline_what_is_allowed_is_usual() {
        let after = |share: f64, every: u64| {
            let mut errors = Errors::allowing(share);
            (1..=20_000_u64).find(|n| {
                errors.add(u64::from(n % every == 0), 1);
                errors.too_many()
            })
        };
        assert!(after(0.01, 20).is_some());
        assert_eq!((after(0.01, 200), after(1.0, 2), after(1.0, 3)), (None, None, None));
    }

    #[test]
    fn what_failed_as_often_before_is_usual() {
        let mut same = Errors::beside(50, 1000);
        for n in 1..=10_000_u64 {
            same.add(u64::from(n % 20 == 0), 1);
        }
        assert!(!same.too_many());
    }

    #[test]
    fn an_hour_of_good_answers_does_not_hide_what_fails_now() {
        let mut late = Errors::beside(0, 1000);
        late.add(0, 1_000_000);
        late.add(10, 10);
        assert!(late.too_many());
    }
}
