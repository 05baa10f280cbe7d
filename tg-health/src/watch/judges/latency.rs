//! Whether answers take longer than they did: all of them, or the slow ones among them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::json;

use super::{Judge, Limits, share};
use crate::statistics::{SIGNIFICANT, Tally, rises, superiority};
use crate::watch::finding::{Finding, Gap, Row};
use crate::watch::recording::Recording;
use crate::watch::sample::Sample;

/// So many seconds are judged together: what was slow while it warmed up does not count for ever.
const WINDOW: usize = 20;
/// Fewer answers tell nothing.
const FEWEST: u64 = 60;
/// µs by which an answer must be slower before a person would notice.
const NOTICED: u64 = 3000;
/// Of the baseline's answers one in twenty was slower than its 95th percentile. Of those now it may be as many as this: one in five
/// is what chance makes of an equal one that has a slow day, as bench-judging shows.
const SLOW: f64 = 0.25;

pub(super) struct Latency {
    before: BTreeMap<String, Tally>,
    now: BTreeMap<String, Target>,
    slower: f64,
    settle_ms: u64,
}

#[derive(Default)]
struct Target {
    all: Tally,
    window: VecDeque<Vec<u32>>,
    told: bool,
}

impl Latency {
    pub(super) fn beside(baseline: Option<&Recording>, limits: &Limits) -> Self {
        let mut before: BTreeMap<String, Tally> = BTreeMap::new();
        for (name, probes) in baseline.iter().flat_map(|b| &b.samples).flat_map(|s| &s.probes) {
            let tally = before.entry(name.clone()).or_default();
            probes.well_us.iter().for_each(|us| tally.add(u64::from(*us)));
        }
        Latency { before, now: BTreeMap::new(), slower: limits.slower, settle_ms: limits.settle_ms }
    }

    /// What is wrong with a window, if something is; `whole`: it is as long as it gets.
    fn judge(&self, before: &Tally, now: &Tally, whole: bool) -> Option<&'static str> {
        let median = (before.percentile(50.0)?, now.percentile(50.0)?);
        let (part, z) = superiority(&before.sorted(), &now.sorted())?;
        if self.noticed(median) && part > 0.5 && z >= SIGNIFICANT {
            return Some("slower");
        }
        // Two busy seconds of ten are a slow tail of ten seconds, and none of twenty.
        if !whole {
            return None;
        }
        let tail = (before.percentile(95.0)?, now.percentile(95.0)?);
        let above = |tally: &Tally| tally.above(tail.0);
        let time = |tally: &Tally| Duration::from_secs(tally.count());
        let z = rises(above(before), time(before), above(now), time(now));
        (self.noticed(tail) && share(above(now), now.count())? > SLOW && z >= SIGNIFICANT)
            .then_some("slow-tail")
    }

    #[expect(clippy::cast_precision_loss, reason = "µs of a request")]
    fn noticed(&self, (before, now): (u64, u64)) -> bool {
        now as f64 > before as f64 * self.slower && now > before + NOTICED
    }
}

impl Judge for Latency {
    fn hear(&mut self, sample: &Sample, found: &mut Vec<Finding>) {
        for (name, probes) in &sample.probes {
            let mut target = self.now.remove(name).unwrap_or_default();
            probes.well_us.iter().for_each(|us| target.all.add(u64::from(*us)));
            if sample.at_ms > self.settle_ms {
                target.window.push_back(probes.well_us.clone());
            }
            if target.window.len() > WINDOW {
                target.window.pop_front();
            }
            if let Some(before) = self.before.get(name)
                && !target.told
            {
                let mut now = Tally::default();
                target.window.iter().flatten().for_each(|us| now.add(u64::from(*us)));
                if now.count() >= FEWEST
                    && let Some(code) = self.judge(before, &now, target.window.len() == WINDOW)
                {
                    target.told = true;
                    found.push(finding(code, name, before, &now));
                }
            }
            self.now.insert(name.clone(), target);
        }
    }

    fn sum_up(&self, rows: &mut Vec<Row>, _gaps: &mut Vec<Gap>) {
        for (name, target) in &self.now {
            for (what, percent) in [("p50_ms", 50.0), ("p95_ms", 95.0), ("p99_ms", 99.0)] {
                rows.push(Row {
                    what,
                    of: name.clone(),
                    before: self.before.get(name).and_then(|before| ms(before, percent)),
                    now: ms(&target.all, percent),
                });
            }
        }
    }
}

fn finding(code: &'static str, name: &str, before: &Tally, now: &Tally) -> Finding {
    let percent = if code == "slower" { 50.0 } else { 95.0 };
    let (was, is) = (ms(before, percent).unwrap_or(0.0), ms(now, percent).unwrap_or(0.0));
    let word = if code == "slower" { "half of the answers" } else { "one in twenty answers" };
    let msg = format!("{word} of {name} took longer than {is} ms in the last seconds, {was} ms before");
    let facts = json!({"target": name, "percentile": percent, "before_ms": was, "now_ms": is});
    Finding::fatal(code, msg, facts)
}

/// A percentile, ms.
#[expect(clippy::cast_precision_loss, reason = "µs of a request")]
fn ms(tally: &Tally, percent: f64) -> Option<f64> {
    tally.percentile(percent).map(|us| (us as f64 / 100.0).round() / 10.0)
}
