//! The flags of `tg-health watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::{Http, PROBE_TIMEOUT, some_time};
use crate::metrics::Rule;

/// Look on for a while and say whether all is as well as it was before
///
/// Asks at a steady rate, whatever the answers take, and looks at what the load balancer counted, at the containers, their logs and
/// their metrics. Each is compared with a baseline that the same command recorded: tg-health watch --for 5m --record before; upgrade;
/// tg-health watch --for 10m --baseline before || tg-swap rollback. Exit 0: as well as before; 1: worse, said as soon as it is sure;
/// 3: it can't be told, since something could not be seen.
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// What is asked beside the health URL: http:// or https://; any answer 2xx that does not say that it is ill is well
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// How long
    #[arg(long = "for", value_name = "DURATION", default_value = "10m", value_parser = some_time)]
    pub(crate) length: Duration,

    /// Keep what is seen in this file: for --baseline, when all was well, and for --replay
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,

    /// Compare with what --record kept
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Look at nothing, and judge what --record kept as if it happened now
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record", "urls", "only", "metrics"])]
    pub(crate) replay: Option<PathBuf>,

    /// Watch on when it is sure that all is not well
    #[arg(long)]
    pub(crate) to_the_end: bool,

    /// Requests a second to each URL
    #[arg(long, value_name = "N", default_value = "10", value_parser = rate)]
    pub(crate) rate: f64,

    /// Give up on one answer after this long
    #[arg(long, value_name = "DURATION", default_value = PROBE_TIMEOUT, value_parser = some_time)]
    pub(crate) probe_timeout: Duration,

    /// How many requests of a watch may fail; beyond it the watch ends
    #[arg(long, value_name = "PERCENT", default_value = "1%", value_parser = percent)]
    pub(crate) budget: f64,

    /// How many times as slow as before is too slow
    #[arg(long, value_name = "TIMES", default_value = "1.5", value_parser = times)]
    pub(crate) slower: f64,

    /// How long a new release may be slow and grow at first
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = tg_core::cli::duration)]
    pub(crate) settle: Duration,

    /// The most a metric may be: name=1, name{label="x"}:rate5m=0.1, name:p95=0.5, or :p95=1.5x of the baseline
    #[arg(long, value_name = "RULE", value_parser = Rule::parse)]
    pub(crate) max: Vec<Rule>,

    /// Where the metrics are, in Prometheus' text format [default: /metrics of each API container]
    #[arg(long, value_name = "URL", requires = "max")]
    pub(crate) metrics: Vec<String>,

    /// What is looked at; all of it by default. With probes alone and a URL no compose file is needed
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) only: Vec<Matter>,

    #[command(flatten)]
    pub(crate) http: Http,
}

/// Something that a watch looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Matter {
    /// Our own requests.
    Probes,
    /// What the load balancer counts.
    Balancer,
    /// Restarts and memory.
    Containers,
    /// What the containers say.
    Logs,
    /// The metrics that --max names.
    Metrics,
}

impl Watch {
    pub(crate) fn looks_at(&self, matter: Matter) -> bool {
        self.only.is_empty() || self.only.contains(&matter)
    }

    /// Whether anything of the compose project is needed.
    pub(crate) fn needs_project(&self) -> bool {
        let elsewhere = [Matter::Balancer, Matter::Containers, Matter::Logs];
        elsewhere.into_iter().any(|matter| self.looks_at(matter))
            || (self.looks_at(Matter::Metrics) && !self.max.is_empty() && self.metrics.is_empty())
            || self.urls.is_empty()
    }
}

fn rate(text: &str) -> Result<f64, String> {
    number(text).filter(|n| (0.1..=1000.0).contains(n)).ok_or_else(|| "from 0.1 to 1000".into())
}

fn times(text: &str) -> Result<f64, String> {
    number(text.trim_end_matches('x')).filter(|n| *n > 1.0).ok_or_else(|| "a number above 1".into())
}

/// 0 to 1.
fn percent(text: &str) -> Result<f64, String> {
    let wrong = || "write it as 1%, from 0% to 100%".to_owned();
    let n = number(text.strip_suffix('%').ok_or_else(wrong)?.trim());
    n.filter(|n| (0.0..=100.0).contains(n)).map(|n| n / 100.0).ok_or_else(wrong)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|n: &f64| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_within_their_bounds() {
        assert_eq!(percent("0.5%"), Ok(0.005));
        assert_eq!((rate("10"), times("1.5x"), times("2")), (Ok(10.0), Ok(1.5), Ok(2.0)));
        for bad in ["", "1", "-1%", "101%", "x%", "NaN%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
        for bad in ["0", "inf", "2000", "x"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        assert!(times("1").is_err());
    }
}
