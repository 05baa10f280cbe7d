//! The judges: each hears every second of a watch, and knows what the baseline has of its own matter.

mod availability;
mod instances;
mod latency;
mod logs;
mod memory;
#[cfg(test)]
mod tests;
mod thresholds;
mod traffic;

use crate::metrics::Rule;

use super::finding::{Finding, Gap, Row};
use super::recording::Recording;
use super::sample::Sample;

/// What one of them does.
trait Judge {
    /// Hears one second; says what it finds, each thing once.
    fn hear(&mut self, sample: &Sample, found: &mut Vec<Finding>);

    /// When all is heard: what was compared, and what could not be.
    fn sum_up(&self, rows: &mut Vec<Row>, gaps: &mut Vec<Gap>);
}

/// What is tolerated, and for how long it is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The watch's length, s.
    pub(crate) seconds: f64,
    /// Whether anything is asked at all.
    pub(crate) asks: bool,
    /// Requests a second to each target.
    pub(crate) rate: f64,
    /// The share of requests that may fail, 0 to 1.
    pub(crate) budget: f64,
    /// How many times as slow as before is too slow.
    pub(crate) slower: f64,
    /// ms at the beginning in which a new release may be slow and grow.
    pub(crate) settle_ms: u64,
    /// Thresholds on metrics.
    pub(crate) rules: Vec<Rule>,
}

/// All judges.
pub(crate) struct Judges(Vec<Box<dyn Judge>>);

impl Judges {
    /// Who compare with a baseline, where there is one.
    pub(crate) fn beside(baseline: Option<&Recording>, limits: &Limits) -> Self {
        Judges(vec![
            Box::new(availability::Availability::beside(baseline, limits)),
            Box::new(latency::Latency::beside(baseline, limits)),
            Box::new(traffic::Counted::beside(baseline, limits)),
            Box::new(instances::Instances::beside(baseline)),
            Box::new(memory::Memory::beside(baseline, limits)),
            Box::new(logs::Logs::beside(baseline)),
            Box::new(thresholds::Thresholds::beside(baseline, limits)),
        ])
    }

    pub(crate) fn hear(&mut self, sample: &Sample) -> Vec<Finding> {
        let mut found = Vec::new();
        self.0.iter_mut().for_each(|judge| judge.hear(sample, &mut found));
        found
    }

    pub(crate) fn sum_up(&self) -> (Vec<Row>, Vec<Gap>) {
        let (mut rows, mut gaps) = (Vec::new(), Vec::new());
        self.0.iter().for_each(|judge| judge.sum_up(&mut rows, &mut gaps));
        (rows, gaps)
    }
}

/// So much of what should be known may be missing.
const MISSING: f64 = 0.05;

/// Per cent of a share, for people.
fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A part of a whole; nothing of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
