//! The user's own limits on metrics.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Judge, Limits, MISSING, percent, share};
use crate::metrics::{Most, Rule};
use crate::watch::finding::{Finding, Gap, Row};
use crate::watch::recording::Recording;
use crate::watch::sample::Sample;

pub(super) struct Thresholds {
    rules: Vec<Rule>,
    before: BTreeMap<String, f64>,
    now: BTreeMap<String, f64>,
    /// Seconds since a value was there for the first time, and those without one.
    seen: BTreeMap<String, (u64, u64)>,
    told: Vec<String>,
}

impl Thresholds {
    pub(super) fn beside(baseline: Option<&Recording>, limits: &Limits) -> Self {
        let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (text, value) in baseline.iter().flat_map(|b| &b.samples).flat_map(|s| &s.metrics) {
            all.entry(text.clone()).or_default().push(*value);
        }
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let before = all.into_iter().map(|(text, values)| (text, median(values))).collect();
        Thresholds {
            rules: limits.rules.clone(),
            before,
            now: BTreeMap::new(),
            seen: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    /// Nothing where it is so many times what is not known.
    fn most(&self, rule: &Rule) -> Option<f64> {
        match rule.most {
            Most::Is(most) => Some(most),
            Most::Times(times) => self.before.get(&rule.key).map(|before| before * times),
        }
    }
}

impl Judge for Thresholds {
    fn hear(&mut self, sample: &Sample, found: &mut Vec<Finding>) {
        for rule in &self.rules {
            let value = sample.metrics.get(&rule.key).copied();
            if !sample.rest && (value.is_some() || self.seen.contains_key(&rule.key)) {
                let (seconds, missing) = self.seen.entry(rule.key.clone()).or_default();
                *seconds += 1;
                *missing += u64::from(value.is_none());
            }
            let Some(value) = value else { continue };
            let worst = self.now.entry(rule.key.clone()).or_insert(value);
            *worst = worst.max(value);
            let Some(most) = self.most(rule) else { continue };
            if value > most && !self.told.contains(&rule.text) {
                self.told.push(rule.text.clone());
                let msg = format!("{} is {value}, at most {most} is allowed", rule.key);
                let facts = json!({"rule": rule.text, "now": value, "most": most, "before": self.before.get(&rule.key)});
                found.push(Finding::fatal("threshold", msg, facts));
            }
        }
    }

    fn sum_up(&self, rows: &mut Vec<Row>, gaps: &mut Vec<Gap>) {
        for rule in &self.rules {
            let (before, now) = (self.before.get(&rule.key).copied(), self.now.get(&rule.key).copied());
            rows.push(Row { what: "metric", of: rule.key.clone(), before, now });
            let mut gap = |msg| gaps.push(Gap { code: "metric-missing", msg });
            let missing = self.seen.get(&rule.key).and_then(|(seconds, missing)| share(*missing, *seconds));
            if let Some(missing) = missing.filter(|missing| *missing > MISSING) {
                gap(format!("{} had no value in {} of the time", rule.key, percent(missing)));
            } else if now.is_none() {
                gap(format!("no value of {} was seen", rule.key));
            } else if self.most(rule).is_none() {
                gap(format!("the baseline knows no value of {}; record it with the same --max", rule.key));
            }
        }
    }
}
