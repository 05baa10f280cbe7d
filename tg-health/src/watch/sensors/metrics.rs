//! What the rules' metrics come to, over all places together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::{Gathered, Plan};
use crate::metrics::{Counter, Measure, Rule, Sample, quantile, samples};

const PERIOD: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(2);
/// Bytes: no application has more to tell.
const LARGEST: u64 = 16 << 20;
/// A percentile is that of the requests of so long.
const PERCENTILES: Duration = Duration::from_mins(5);

/// Scrapes until it is time to stop.
pub(super) fn scrape(plan: &Plan<'_>, gathered: &Gathered) {
    let begun = Instant::now();
    let mut series = Series::default();
    let mut next = begun;
    while gathered.nap(next) {
        next = Instant::now() + PERIOD;
        let mut found: BTreeMap<String, f64> = BTreeMap::new();
        for place in plan.metrics {
            // A place that is silent has no values; without any value the verdict is none.
            let Ok(text) = plan.prober.text(place, LIMIT, LARGEST) else { continue };
            series.read(place, &text, plan.rules, begun.elapsed(), &mut found);
        }
        series.measure(plan.rules, &mut found);
        gathered.lock().metrics = Some((Instant::now(), found));
    }
}

/// Counters by rule, and by place and labels.
#[derive(Default)]
struct Series {
    counters: HashMap<String, HashMap<String, (Counter, f64)>>,
    /// Metrics that were there, with whatever labels.
    names: HashSet<String>,
}

impl Series {
    /// Takes what one place says.
    fn read(
        &mut self,
        place: &str,
        text: &str,
        rules: &[Rule],
        at: Duration,
        found: &mut BTreeMap<String, f64>,
    ) {
        for sample in samples(text) {
            if rules.iter().any(|rule| rule.name == sample.name) && !self.names.contains(&sample.name) {
                self.names.insert(sample.name.clone());
            }
            for rule in rules.iter().filter(|rule| rule.means(&sample)) {
                let keep = match rule.measure {
                    Measure::Value => {
                        let most = found.entry(rule.key.clone()).or_insert(sample.value);
                        *most = most.max(sample.value);
                        continue;
                    }
                    Measure::Rate(window) => window,
                    Measure::Percentile(_) => PERCENTILES,
                };
                let name = format!("{place} {:?}", sample.labels);
                let series = self.counters.entry(rule.key.clone()).or_default();
                let (counter, _) = series.entry(name).or_insert_with(|| (Counter::default(), bound(&sample)));
                counter.read(at, sample.value, keep);
            }
        }
    }

    /// Adds what the counters come to.
    fn measure(&self, rules: &[Rule], found: &mut BTreeMap<String, f64>) {
        for rule in rules {
            let Some(series) = self.counters.get(&rule.key) else {
                // What has never happened has no series of its own yet.
                if matches!(rule.measure, Measure::Rate(_)) && self.names.contains(&rule.name) {
                    found.insert(rule.key.clone(), 0.0);
                }
                continue;
            };
            let value = match rule.measure {
                Measure::Value => continue,
                Measure::Rate(window) => {
                    let rates: Vec<f64> =
                        series.values().filter_map(|(counter, _)| counter.rate(window)).collect();
                    (!rates.is_empty()).then(|| rates.iter().sum())
                }
                Measure::Percentile(percent) => {
                    let mut buckets: Vec<(f64, f64)> = Vec::new();
                    for (counter, bound) in series.values() {
                        let Some(grown) = counter.increase(PERCENTILES) else { continue };
                        match buckets.iter_mut().find(|(known, _)| known.total_cmp(bound).is_eq()) {
                            Some((_, all)) => *all += grown,
                            None => buckets.push((*bound, grown)),
                        }
                    }
                    quantile(percent / 100.0, buckets)
                }
            };
            if let Some(value) = value {
                found.insert(rule.key.clone(), value);
            }
        }
    }
}

/// The upper bound of a histogram's bucket.
fn bound(sample: &Sample) -> f64 {
    match sample.label("le") {
        Some("+Inf") => f64::INFINITY,
        Some(le) => le.parse().unwrap_or(f64::NAN),
        None => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(rule: &str, scrapes: &[&[&str]]) -> Option<f64> {
        let rules = [Rule::parse(rule).unwrap()];
        let (mut series, mut found) = (Series::default(), BTreeMap::new());
        for (n, places) in scrapes.iter().enumerate() {
            found.clear();
            for (place, text) in places.iter().enumerate() {
                let at = Duration::from_secs(10 * n as u64);
                series.read(&format!("place {place}"), text, &rules, at, &mut found);
            }
            series.measure(&rules, &mut found);
        }
        found.get(&rules[0].key).copied()
    }

    #[test]
    fn a_value_is_the_largest_of_all_places_and_a_rate_their_sum() {
        assert_eq!(value("q=1", &[&["q 3", "q 5\nq{a=\"b\"} 4"]]), Some(5.0));
        assert_eq!(value("n:rate10s=1", &[&["n 0", "n 100"], &["n 20", "n 130"]]), Some(5.0));
        assert_eq!(value("n:rate10s=1", &[&["n 0"]]), None, "one scrape tells of no growth");
        assert_eq!(
            value("n:rate10s=1", &[&["n 50", "n 100"], &["n 20", "n 130"]]),
            Some(5.0),
            "one began again"
        );
        assert_eq!(value("other=1", &[&["n 1"]]), None);
        assert_eq!(
            value("n{code=\"500\"}:rate10s=1", &[&["n{code=\"200\"} 1"]]),
            Some(0.0),
            "none has failed"
        );
    }

    #[test]
    fn a_percentile_is_that_of_all_places_since_the_first_scrape() {
        let at = |low: u32, all: u32| {
            format!(
                "d_bucket{{le=\"0.1\"}} {low}\nd_bucket{{le=\"1\"}} {all}\nd_bucket{{le=\"+Inf\"}} {all}\n"
            )
        };
        let (first, second, other) = (at(100, 100), at(100, 110), at(10, 10));
        let found = value("d:p50=1", &[&[&first, &other], &[&second, &other]]).unwrap();
        assert!((0.1..=1.0).contains(&found), "{found}");
    }
}
