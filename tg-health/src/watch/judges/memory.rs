//! Whether the containers of a service take more and more memory.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Judge, Limits};
use crate::statistics::{SIGNIFICANT, trend};
use crate::watch::finding::{Finding, Gap, Row};
use crate::watch::recording::Recording;
use crate::watch::sample::{Instance, Sample};

/// The growth of so many seconds is judged: what has come to rest does not grow.
const WINDOW_S: f64 = 30.0;
/// More values than this are not needed to see a trend.
const POINTS: usize = 240;
/// It must be above what was ever seen before by so much, too, since a release that has just begun grows to its usual size.
const TIMES: f64 = 1.3;
/// Where nothing is known from before: above its own first size.
const TIMES_ALONE: f64 = 2.0;
/// Bytes below which growth is not worth a word.
const NOTICED: f64 = 16.0 * MB;
const MB: f64 = 1_048_576.0;
const DAY_S: f64 = 86_400.0;

pub(super) struct Memory {
    /// The most that a container of a service took.
    before: BTreeMap<String, f64>,
    services: BTreeMap<String, Service>,
    settle_ms: u64,
}

#[derive(Default)]
struct Service {
    /// Seconds, and bytes of the one that takes most.
    values: Vec<(f64, f64)>,
    most: f64,
    told: bool,
}

impl Service {
    /// Every second value is forgotten where there are too many: a slow growth is seen over all the time.
    fn add(&mut self, at: f64, bytes: f64) {
        self.values.push((at, bytes));
        self.most = self.most.max(bytes);
        if self.values.len() > POINTS {
            let mut keep = false;
            self.values.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    fn last(&self) -> &[(f64, f64)] {
        let end = self.values.last().map_or(0.0, |(at, _)| *at);
        let begin = self.values.partition_point(|(at, _)| *at < end - WINDOW_S);
        &self.values[begin..]
    }
}

impl Memory {
    pub(super) fn beside(baseline: Option<&Recording>, limits: &Limits) -> Self {
        let mut before: BTreeMap<String, f64> = BTreeMap::new();
        let containers = baseline.iter().flat_map(|b| &b.samples).filter_map(|s| s.containers.as_ref());
        for (service, instances) in containers.flatten() {
            if let Some(bytes) = largest(instances) {
                let most = before.entry(service.clone()).or_default();
                *most = most.max(bytes);
            }
        }
        Memory { before, services: BTreeMap::new(), settle_ms: limits.settle_ms }
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a container")]
fn largest(instances: &[Instance]) -> Option<f64> {
    instances.iter().filter_map(|instance| instance.memory).max().map(|bytes| bytes as f64)
}

impl Judge for Memory {
    fn hear(&mut self, sample: &Sample, found: &mut Vec<Finding>) {
        let at = std::time::Duration::from_millis(sample.at_ms).as_secs_f64();
        for (name, instances) in sample.containers.iter().flatten() {
            let Some(bytes) = largest(instances) else { continue };
            let service = self.services.entry(name.clone()).or_default();
            service.add(at, bytes);
            if sample.at_ms <= self.settle_ms || service.told {
                continue;
            }
            let first = service.values[0].1;
            let most = self.before.get(name).map_or(first * TIMES_ALONE, |before| before * TIMES);
            if bytes < most.max(first + NOTICED) {
                continue;
            }
            let Some(grown) = trend(service.last()) else { continue };
            if grown.z < SIGNIFICANT || grown.slope <= 0.0 {
                continue;
            }
            service.told = true;
            let (mb, rate) = ((bytes / MB).round(), (grown.slope / MB * 60.0).round());
            let msg = format!("a container of {name} takes {mb} MB and grows by {rate} MB a minute");
            let before = self.before.get(name).map(|before| (before / MB).round());
            let facts = json!({"service": name, "mb": mb, "mb_per_minute": rate, "before_mb": before});
            found.push(Finding::fatal("memory-grows", msg, facts));
        }
    }

    fn sum_up(&self, rows: &mut Vec<Row>, _gaps: &mut Vec<Gap>) {
        for (name, service) in &self.services {
            let before = self.before.get(name).map(|bytes| (bytes / MB).round());
            let now = Some((service.most / MB).round());
            rows.push(Row { what: "memory_mb", of: name.clone(), before, now });
            if let Some(grown) = trend(&service.values)
                && grown.z >= SIGNIFICANT
            {
                let now = Some((grown.slope * DAY_S / MB).round());
                rows.push(Row { what: "memory_mb_per_day", of: name.clone(), before: None, now });
            }
        }
    }
}
