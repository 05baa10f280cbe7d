//! Whether our own requests are answered well: fewer failures than would be unusual, and no more than the budget.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Judge, Limits, MISSING, percent, share};
use crate::statistics::Errors;
use crate::watch::finding::{Finding, Gap, Row};
use crate::watch::recording::Recording;
use crate::watch::sample::Sample;

/// Fewer answers tell nothing.
const FEWEST: u64 = 30;

pub(super) struct Availability {
    before: BTreeMap<String, (u64, u64)>,
    compared: bool,
    targets: BTreeMap<String, Target>,
    /// How many of a target's requests may fail.
    most: f64,
    budget: f64,
    asks: bool,
}

struct Target {
    errors: Errors,
    missed: u64,
    told: bool,
    reasons: BTreeMap<String, u64>,
}

impl Availability {
    pub(super) fn beside(baseline: Option<&Recording>, limits: &Limits) -> Self {
        let mut before: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (name, probes) in baseline.iter().flat_map(|b| &b.samples).flat_map(|s| &s.probes) {
            let (failed, sent) = before.entry(name.clone()).or_default();
            *failed += probes.failures();
            *sent += probes.sent();
        }
        Availability {
            before,
            compared: baseline.is_some(),
            targets: BTreeMap::new(),
            most: limits.budget * limits.rate * limits.seconds,
            budget: limits.budget,
            asks: limits.asks,
        }
    }
}

impl Judge for Availability {
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    fn hear(&mut self, sample: &Sample, found: &mut Vec<Finding>) {
        for (name, probes) in &sample.probes {
            let (failed, sent) = self.before.get(name).copied().unwrap_or_default();
            let target = self.targets.entry(name.clone()).or_insert_with(|| Target {
                errors: if self.compared {
                    Errors::beside(failed, sent)
                } else {
                    Errors::allowing(self.budget)
                },
                missed: 0,
                told: false,
                reasons: BTreeMap::new(),
            });
            target.errors.add(probes.failures(), probes.sent());
            target.missed += u64::from(probes.missed);
            for (reason, n) in &probes.failed {
                *target.reasons.entry(reason.clone()).or_default() += u64::from(*n);
            }
            let (failed, sent) = (target.errors.failed, target.errors.requests);
            let over = failed as f64 > self.most;
            if target.told || !(over || target.errors.too_many()) {
                continue;
            }
            target.told = true;
            let facts = json!({
                "target": name, "failed": failed, "requests": sent, "reasons": target.reasons,
                "tolerated": target.errors.tolerated(), "budget": self.budget,
            });
            let reason = target.reasons.iter().max_by_key(|(_, n)| **n).map_or("", |(reason, _)| reason);
            let rate = percent(share(failed, sent).unwrap_or(0.0));
            let msg = format!("{failed} of {sent} requests to {name} failed ({rate}): {reason}");
            found.push(Finding::fatal(if over { "budget-spent" } else { "errors" }, msg, facts));
        }
    }

    fn sum_up(&self, rows: &mut Vec<Row>, gaps: &mut Vec<Gap>) {
        for (name, target) in &self.targets {
            let before = self.before.get(name).and_then(|(failed, sent)| share(*failed, *sent));
            let Errors { failed, requests, .. } = target.errors;
            rows.push(Row {
                what: "availability",
                of: name.clone(),
                before: before.map(|failed| 1.0 - failed),
                now: share(failed, requests).map(|failed| 1.0 - failed),
            });
            let mut gap = |code, msg| gaps.push(Gap { code, msg });
            if requests < FEWEST {
                gap("too-few-answers", format!("only {requests} answers of {name}: {FEWEST} are needed"));
            }
            if share(target.missed, target.missed + requests).is_some_and(|missed| missed > MISSING) {
                gap(
                    "probes-missed",
                    format!("{} requests to {name} could not be sent in time", target.missed),
                );
            }
            if self.compared && before.is_none() {
                gap("not-in-baseline", format!("the baseline knows nothing of {name}"));
            }
        }
        if self.targets.is_empty() && self.asks {
            gaps.push(Gap { code: "too-few-answers", msg: "nothing was asked".into() });
        }
    }
}
