//! What the balancer counted of everybody's requests: failures, their mean time, and whether there were any.

use std::collections::VecDeque;

use serde_json::json;

use super::{Judge, Limits, MISSING, percent, share};
use crate::statistics::Errors;
use crate::watch::finding::{Finding, Gap, Row};
use crate::watch::recording::Recording;
use crate::watch::sample::{Sample, Traffic};

/// So many seconds are judged together.
const WINDOW: usize = 20;
/// ms by which a mean must be longer before a person would notice.
const NOTICED_MS: f64 = 5.0;
/// Less traffic of others than this part of what there was tells nothing of it.
const TOO_LITTLE: f64 = 0.1;

pub(super) struct Counted {
    before: Option<Sums>,
    errors: Errors,
    now: Sums,
    means: VecDeque<u64>,
    slower: f64,
    settle_ms: u64,
    told_errors: bool,
    told_slower: bool,
}

/// Sums over some time.
#[derive(Default)]
struct Sums {
    seconds: u64,
    /// In which the balancer told nothing.
    silent: u64,
    requests: u64,
    failed: u64,
    /// Our own among them.
    own: u64,
    means: Vec<u64>,
}

impl Sums {
    fn add(&mut self, sample: &Sample) {
        let Some(Traffic { requests, failed, mean_ms }) = sample.traffic else {
            let silent = u64::from(sample.must_tell(self.told()));
            self.silent += silent;
            self.seconds += silent;
            return;
        };
        self.seconds += 1;
        self.requests += requests;
        self.failed += failed;
        self.own += sample.probes.values().map(super::super::sample::Probes::sent).sum::<u64>();
        if mean_ms > 0 {
            self.means.push(mean_ms);
        }
    }

    fn told(&self) -> bool {
        self.seconds > self.silent
    }

    /// Requests a second that were not ours.
    fn others(&self) -> f64 {
        share(self.requests.saturating_sub(self.own), self.seconds - self.silent).unwrap_or(0.0)
    }
}

impl Counted {
    pub(super) fn beside(baseline: Option<&Recording>, limits: &Limits) -> Self {
        let before = baseline.map(|baseline| {
            let mut sums = Sums::default();
            baseline.samples.iter().for_each(|sample| sums.add(sample));
            sums
        });
        let errors = match &before {
            Some(sums) => Errors::beside(sums.failed, sums.requests),
            None => Errors::allowing(limits.budget),
        };
        Counted {
            before,
            errors,
            now: Sums::default(),
            means: VecDeque::new(),
            slower: limits.slower,
            settle_ms: limits.settle_ms,
            told_errors: false,
            told_slower: false,
        }
    }

    fn judge_errors(&mut self, found: &mut Vec<Finding>) {
        if self.told_errors || !self.errors.too_many() {
            return;
        }
        self.told_errors = true;
        let Errors { failed, requests, .. } = self.errors;
        let rate = percent(share(failed, requests).unwrap_or(0.0));
        let msg = format!("{failed} of {requests} requests failed by the load balancer's count ({rate})");
        let facts = json!({"failed": failed, "requests": requests, "tolerated": self.errors.tolerated()});
        found.push(Finding::fatal("traffic-errors", msg, facts));
    }

    fn judge_means(&mut self, found: &mut Vec<Finding>) {
        let before = self.before.as_ref().and_then(|sums| slowest(&sums.means));
        let now = median(self.means.make_contiguous());
        let (Some(before), Some(now)) = (before, now) else { return };
        if self.told_slower || self.means.len() < WINDOW {
            return;
        }
        if now > before * self.slower && now > before + NOTICED_MS {
            self.told_slower = true;
            let msg = format!(
                "requests take {now} ms on average by the load balancer's count, at most {before} ms before"
            );
            found.push(Finding::fatal("traffic-slower", msg, json!({"before_ms": before, "now_ms": now})));
        }
    }
}

impl Judge for Counted {
    fn hear(&mut self, sample: &Sample, found: &mut Vec<Finding>) {
        self.now.add(sample);
        let Some(Traffic { requests, failed, mean_ms }) = sample.traffic else { return };
        self.errors.add(failed.min(requests), requests);
        if mean_ms > 0 && sample.at_ms > self.settle_ms {
            self.means.push_back(mean_ms);
        }
        if self.means.len() > WINDOW {
            self.means.pop_front();
        }
        self.judge_errors(found);
        self.judge_means(found);
    }

    fn sum_up(&self, rows: &mut Vec<Row>, gaps: &mut Vec<Gap>) {
        let before = self.before.as_ref().filter(|sums| sums.told());
        if !self.now.told() && before.is_none() {
            return;
        }
        let mut row = |what, of: &dyn Fn(&Sums) -> Option<f64>| {
            rows.push(Row { what, of: "balancer".into(), before: before.and_then(of), now: of(&self.now) });
        };
        row("requests_per_s", &|sums| share(sums.requests, sums.seconds - sums.silent));
        row("failed_share", &|sums| share(sums.failed, sums.requests));
        row("mean_ms", &|sums| median(&sums.means));
        let mut gap = |code, msg: String| gaps.push(Gap { code, msg });
        let silent = share(self.now.silent, self.now.seconds).unwrap_or(1.0);
        if silent > MISSING {
            gap(
                "balancer-silent",
                format!("the load balancer told nothing in {} of the time", percent(silent)),
            );
        }
        if let Some(before) = before
            && self.now.told()
            && before.others() > 0.0
            && self.now.others() < before.others() * TOO_LITTLE
        {
            let (was, is) = (before.others(), self.now.others());
            gap(
                "no-traffic",
                format!("{is:.1} requests a second of others, {was:.1} before: too few to judge"),
            );
        }
    }
}

/// The median of the slowest window. A balancer's mean is of few hundred requests of all kinds and goes up and down with them: what it
/// has been without a person's worry it may be again.
fn slowest(means: &[u64]) -> Option<f64> {
    let window = WINDOW.min(means.len()).max(1);
    means.windows(window).filter_map(median).reduce(f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "ms of a request")]
fn median(values: &[u64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map(|ms| *ms as f64)
}
