//! Counting, and the report that comes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::acked::{AckedFile, word};
use crate::client::{Answer, Broken};
use crate::mix::Kind;
use crate::plan::Plan;
use crate::samples::Samples;

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    Broken(Broken),
    /// No complete answer in time.
    Timeout,
    /// Too many requests were waiting already; it was not sent.
    NotSent,
}

/// How often, and when first and last, in ms since the start of the run.
#[derive(Debug, Clone, Copy)]
struct Span {
    count: u64,
    first_ms: u64,
    last_ms: u64,
}

impl Span {
    fn add(spans: &mut BTreeMap<String, Self>, name: String, ms: u64) {
        let span = spans.entry(name).or_insert(Self { count: 0, first_ms: ms, last_ms: ms });
        span.count += 1;
        span.first_ms = span.first_ms.min(ms);
        span.last_ms = span.last_ms.max(ms);
    }

    fn json(self) -> Value {
        json!({"count": self.count, "first_ms": self.first_ms, "last_ms": self.last_ms})
    }
}

/// Everything that is counted in one run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    total: u64,
    ok: u64,
    acked: u64,
    failures: BTreeMap<String, Span>,
    versions: BTreeMap<String, Span>,
    latencies: BTreeMap<Kind, Vec<Duration>>,
    file: Option<AckedFile>,
    samples: Option<Samples>,
    file_error: Option<std::io::Error>,
}

impl Tally {
    pub(crate) fn new(file: Option<AckedFile>, samples: Option<Samples>) -> Self {
        Self { file, samples, ..Self::default() }
    }

    /// `now` is since the start of the run, `latency` since the intended send time.
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        result: Result<Answer, Lost>,
        now: Duration,
        latency: Duration,
    ) {
        let ms = millis(now);
        self.total += 1;
        let (failure, version) = match result {
            Err(lost) => (Some(lost_name(lost).to_owned()), None),
            Ok(answer) if answer.status == plan.kind.expected_status() => (None, answer.version),
            Ok(answer) => (Some(format!("http_{}", answer.status)), answer.version),
        };
        if let Some(samples) = &mut self.samples {
            let (outcome, version) = (failure.as_deref().unwrap_or("ok"), version.as_deref().unwrap_or(""));
            if let Err(error) = samples.add(now, plan.kind, outcome, version, latency) {
                self.file_error.get_or_insert(error);
            }
        }
        if let Some(version) = version {
            Span::add(&mut self.versions, version, ms);
        }
        if let Some(failure) = failure {
            return Span::add(&mut self.failures, failure, ms);
        }
        self.ok += 1;
        self.latencies.entry(plan.kind).or_default().push(latency);
        if let Some(word) = word(plan.kind) {
            self.acknowledge(word, &plan.id);
        }
    }

    fn acknowledge(&mut self, word: &str, id: &str) {
        self.acked += 1;
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.add(word, id)) {
            self.file_error.get_or_insert(error);
        }
    }

    /// The report. Fails when the list of acknowledged writes is not safely on disk.
    pub(crate) fn finish(mut self) -> anyhow::Result<Map<String, Value>> {
        if let Some(samples) = self.samples.take() {
            samples.close()?;
        }
        if let Some(file) = self.file.take() {
            file.close()?;
        }
        if let Some(error) = self.file_error {
            return Err(error.into());
        }
        let latency = self.latencies.into_iter().map(|(kind, mut times)| {
            times.sort_unstable();
            (kind.name().to_owned(), percentiles(&times))
        });
        let spans = |spans: BTreeMap<String, Span>| -> Map<String, Value> {
            spans.into_iter().map(|(name, span)| (name, span.json())).collect()
        };
        let mut report = Map::new();
        report.insert("total".to_owned(), self.total.into());
        report.insert("ok".to_owned(), self.ok.into());
        report.insert("failed".to_owned(), (self.total - self.ok).into());
        report.insert("failures".to_owned(), spans(self.failures).into());
        report.insert("latency_ms".to_owned(), latency.collect::<Map<_, _>>().into());
        report.insert("versions".to_owned(), spans(self.versions).into());
        report.insert("acked".to_owned(), self.acked.into());
        Ok(report)
    }
}

fn lost_name(lost: Lost) -> &'static str {
    match lost {
        Lost::Broken(Broken::Connect) => "connect",
        Lost::Broken(Broken::Reset) => "reset",
        Lost::Broken(Broken::Protocol) => "protocol",
        Lost::Timeout => "timeout",
        Lost::NotSent => "not_sent",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The nearest-rank percentile of sorted values: the smallest one that at least `percent` of all don't exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn percentiles(sorted: &[Duration]) -> Value {
    let tenths = |duration: Duration| {
        let tenths = u32::try_from(duration.as_micros() / 100).unwrap_or(u32::MAX);
        f64::from(tenths) / 10.0
    };
    json!({
        "count": sorted.len(),
        "p50": tenths(percentile(sorted, 50)),
        "p95": tenths(percentile(sorted, 95)),
        "p99": tenths(percentile(sorted, 99)),
        "max": tenths(percentile(sorted, 100)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let hundred = ms(&(1..=100).collect::<Vec<_>>());
        let at = |percent| percentile(&hundred, percent).as_millis();
        assert_eq!([at(50), at(95), at(99), at(100)], [50, 95, 99, 100]);
        let three = ms(&[10, 20, 30]);
        assert_eq!(percentile(&three, 50), Duration::from_millis(20));
        assert_eq!(percentile(&three, 99), Duration::from_millis(30));
    }

    #[test]
    fn percentiles_of_one_value_or_none_are_defined() {
        assert_eq!(percentile(&ms(&[7]), 50), Duration::from_millis(7));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
