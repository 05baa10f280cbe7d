//! One new instance on trial, with a share of the requests.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;
use tg_core::crash::Watch;

use crate::error::SwapError;
use crate::swap::Swap;
use crate::swap::asker::Asker;
use tg_core::balancer::{Counters, Duty};

/// Between two looks at the counters.
const LOOK: Duration = Duration::from_millis(500);
/// Fewer requests than this say nothing about a mean time.
const ENOUGH: u64 = 100;
/// A canary whose answers take so many times as long as the others' is sent back.
const SLOWER: u64 = 2;
/// A canary that is unhealthy for so long, by its own check, is sent back.
const ILL: Duration = Duration::from_secs(10);
/// Of so many last answers a balancer tells the mean time.
const MEAN_OF: u64 = 512;
/// How surely more failures are no accident: standard deviations of a normal distribution, one-sided
/// p < 0.001.
const SURE: f64 = 3.1;

impl Swap<'_> {
    /// Tries the first new instance, if that was asked for.
    pub(super) fn try_canary(&self) -> Result<(), SwapError> {
        let (Some(percent), Some(service)) = (self.intent.options.canary, self.plan.project.api.first())
        else {
            return Ok(());
        };
        self.boot(service, 1)?;
        let names: Vec<String> = self.fleet(service)?.goal.into_iter().map(|c| c.name).collect();
        let length = humantime::format_duration(self.intent.options.canary_for).to_string();
        let intent = json!({"containers": names, "percent": percent, "for": length});
        let msg = format!("send {percent} % of the requests to {} for {length}", names.join(", "));
        self.step("canary", &msg, intent, || {
            // Its place may have counted for somebody else before.
            self.introduce(&names)?;
            let (canary, others) = self.counted()?;
            self.let_in(&names, Duty::Share(percent))?;
            let mut asker = Asker::new(self)?;
            let (tried, compared) = self.watch(percent, &canary, &others, &mut asker)?;
            self.ask_judge()?;
            Ok(((), json!({"canary": tried, "others": compared, "asked": asker.asked})))
        })
    }

    /// What the balancer has counted for the new side and for the old one.
    fn counted(&self) -> Result<(Counters, Counters), SwapError> {
        let api = self.api()?;
        let sum = |containers| -> Result<Counters, SwapError> {
            let seen = self.look(containers)?;
            Ok(seen.iter().filter_map(|s| s.counters).fold(Counters::default(), |sum, c| sum.plus(&c)))
        };
        Ok((sum(&api.goal)?, sum(&api.others)?))
    }

    /// Until its time is over, or something speaks against it. Where the balancer does not count, the judge alone tells.
    fn watch(
        &self,
        percent: u8,
        canary: &Counters,
        others: &Counters,
        asker: &mut Asker,
    ) -> Result<(Counters, Counters), SwapError> {
        let (begun, counts) = (Instant::now(), self.balancer.abilities().count);
        let (mut watch, mut ill) = (Watch::over(&self.api()?.goal, Instant::now()), None);
        let mut before = 0;
        loop {
            self.check("watching the canary")?;
            std::thread::sleep(LOOK);
            let goal = self.api()?.goal;
            self.fail_if_crashed(&mut watch, &goal)?;
            self.fail_if_ill(&mut ill, &goal)?;
            let (now_canary, now_others) = self.counted()?;
            let (tried, compared) = (trial(&now_canary, canary), now_others.since(others));
            if let Some(reason) = verdict(&tried, &compared) {
                return Err(self.not_ready(&goal[0], reason));
            }
            if begun.elapsed() >= self.intent.options.canary_for {
                // Nobody can say that it is well when nobody asked it.
                return if counts && tried.requests == 0 {
                    let reason = format!("it got no request while it was on trial; {}", asker.why_none());
                    Err(self.not_ready(&goal[0], reason))
                } else {
                    Ok((tried, compared))
                };
            }
            if counts && tried.requests == before {
                asker.ask(percent);
            }
            before = tried.requests;
        }
    }

    /// A health check that misses is asked again: who stays unhealthy, and who is so at the end, is not let in.
    fn fail_if_ill(&self, since: &mut Option<Instant>, goal: &[Container]) -> Result<(), SwapError> {
        let Some(ill) = goal.iter().find(|c| c.health.as_deref() == Some("unhealthy")) else {
            *since = None;
            return Ok(());
        };
        if since.get_or_insert_with(Instant::now).elapsed() < ILL.min(self.intent.options.canary_for / 2) {
            return Ok(());
        }
        Err(self.not_ready(ill, "docker says that it is unhealthy".into()))
    }

    fn ask_judge(&self) -> Result<(), SwapError> {
        let Some(judge) = &self.intent.options.judge else { return Ok(()) };
        let runner = self.session.runner().until(self.deadline);
        let mut command = Command::new("sh");
        command.args(["-c", judge]).current_dir(&self.plan.project.directory);
        runner.capture(&mut command).map(drop).map_err(|e| SwapError::Judged(e.to_string()))
    }
}

/// What was counted on trial, with the least mean time that fits. The balancer's own mean is a moving
/// one: whoever had the canary's place before would speak for it. It holds a plain sum up to `N` requests, and
/// from then on a sum that loses `1/N` of itself with each; it is told in whole ms, rounded up.
/// HAProxy, include/haproxy/freq_ctr.h, `swrate_add_dynamic`, with `TIME_STATS_SAMPLES`.
#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean in ms, not negative")]
fn trial(now: &Counters, before: &Counters) -> Counters {
    let counted = now.since(before);
    if counted.requests == 0 || now.requests < before.requests {
        return counted;
    }
    let held = |c: &Counters| c.requests.min(MEAN_OF) as f64;
    let lossy = now.requests.saturating_sub(MEAN_OF) - before.requests.saturating_sub(MEAN_OF);
    let window = MEAN_OF as f64;
    let left = (1.0 - 1.0 / window).powf(lossy as f64);
    let least = (now.mean_ms as f64 - 1.0) * held(now) - before.mean_ms as f64 * held(before) * left;
    let weight = (counted.requests - lossy) as f64 * left + window * (1.0 - left);
    Counters { mean_ms: (least / weight).max(0.0).round() as u64, ..counted }
}

/// What speaks against the canary, if anything.
fn verdict(canary: &Counters, others: &Counters) -> Option<String> {
    let failed = |c: &Counters| {
        (c.answered_5xx + c.failed_connections + c.failed_responses + c.aborted_by_server).min(c.requests)
    };
    let (bad, bad_others) = (failed(canary), failed(others));
    if more_often(bad, canary.requests, bad_others, others.requests) {
        return Some(format!(
            "{bad} of its {} requests failed, of the others' {bad_others} of {}",
            canary.requests, others.requests
        ));
    }
    let enough = canary.requests >= ENOUGH && others.requests >= ENOUGH;
    if enough && others.mean_ms > 0 && canary.mean_ms > SLOWER * others.mean_ms {
        return Some(format!(
            "its answers take {} ms on average, the others' {} ms",
            canary.mean_ms, others.mean_ms
        ));
    }
    None
}

/// Whether `a` of `n` is more than `b` of `m` beyond chance: the pooled two-proportion z-test.
/// <https://www.itl.nist.gov/div898/handbook/prc/section3/prc33.htm>
#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
fn more_often(a: u64, n: u64, b: u64, m: u64) -> bool {
    // Below three a single mishap decides.
    if a < 3 || n == 0 {
        return false;
    }
    let (a, n, b, m) = (a as f64, n as f64, b as f64, m as f64);
    if m == 0.0 {
        return a / n > 0.5;
    }
    let pooled = (a + b) / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    if deviation == 0.0 { false } else { (a / n - b / m) / deviation > SURE }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(requests: u64, answered_5xx: u64, mean_ms: u64) -> Counters {
        Counters { requests, answered_5xx, mean_ms, ..Counters::default() }
    }

    #[test]
    fn a_canary_that_fails_where_the_others_do_not_is_sent_back() {
        assert!(verdict(&counted(200, 6, 5), &counted(1800, 0, 5)).is_some());
        assert!(verdict(&counted(200, 2, 5), &counted(1800, 0, 5)).is_none(), "too few to tell");
    }

    #[test]
    fn what_fails_for_all_does_not_speak_against_the_canary() {
        assert!(verdict(&counted(200, 20, 5), &counted(1800, 180, 5)).is_none());
    }

    #[test]
    fn a_canary_that_is_much_slower_is_sent_back_once_enough_was_asked() {
        assert!(verdict(&counted(150, 0, 31), &counted(1350, 0, 10)).is_some());
        assert!(verdict(&counted(50, 0, 31), &counted(450, 0, 10)).is_none());
        assert!(verdict(&counted(150, 0, 19), &counted(1350, 0, 10)).is_none());
    }

    /// The mean as HAProxy tells it after each of these answers, in ms.
    fn told(answers: impl Iterator<Item = u64>) -> Counters {
        let (mut sum, mut n) = (0_u64, 0_u64);
        for answer in answers {
            n += 1;
            sum = if n > MEAN_OF { sum - sum.div_ceil(MEAN_OF) + answer } else { sum + answer };
        }
        counted(n, 0, sum.div_ceil(n.clamp(1, MEAN_OF)))
    }

    proptest! {
        #[test]
        fn who_had_the_place_before_neither_speaks_for_the_canary_nor_against_it(
            (n, was) in (0_u64..3000, 1_u64..60),
            (k, is) in (ENOUGH..3000, 1_u64..200),
        ) {
            let before = told((0..n).map(|_| was));
            let now = told((0..n).map(|_| was).chain((0..k).map(|_| is)));
            let mean = trial(&now, &before).mean_ms;
            prop_assert!(mean <= is + 1, "{mean} is too much for {is}");
            prop_assert!(mean + 20 >= is, "{mean} is too little for {is}");
            prop_assert_eq!(trial(&now, &before).requests, k);
        }
    }

    #[test]
    fn one_request_is_no_proof_of_anything() {
        assert!(!more_often(1, 1, 0, 1000));
        assert!(!more_often(0, 0, 0, 0));
        assert!(more_often(3, 3, 0, 1000));
    }
}
