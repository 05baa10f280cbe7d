//! A threshold on a metric: `name=1`, `name{code="500"}:rate5m=0.1`, `name:p95=0.5`, `name:p95=1.5x`.

use std::time::Duration;

use super::exposition::{Sample, labels, number};

/// What is measured of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measure {
    /// What it shows.
    Value,
    /// Its growth a second, within a window.
    Rate(Duration),
    /// A percentile, 0 to 100, of a histogram's buckets.
    Percentile(f64),
}

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Most {
    /// This.
    Is(f64),
    /// So many times what it was in the baseline.
    Times(f64),
}

/// A metric, its measure and its most.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    /// As it was written.
    pub(crate) text: String,
    /// What of it stands before the limit.
    pub(crate) key: String,
    pub(crate) name: String,
    labels: Vec<(String, String)>,
    pub(crate) measure: Measure,
    pub(crate) most: Most,
}

impl Rule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || "write it as name=1, name{label=\"x\"}:rate5m=0.1, name:p95=0.5 or name:p95=1.5x".to_owned();
        let (what, most) = text.rsplit_once('=').ok_or_else(wrong)?;
        let finite = |text: &str| number(text).filter(|most| most.is_finite());
        let most = match most.trim().strip_suffix('x') {
            Some(times) => Most::Times(finite(times).filter(|times| *times >= 1.0).ok_or_else(wrong)?),
            None => Most::Is(finite(most.trim()).ok_or_else(wrong)?),
        };
        let (selector, measure) = match what.rsplit_once(':') {
            // A colon may stand in a label, and in the name of a recorded metric.
            Some((selector, word)) if measure(word).is_some() => (selector, measure(word).ok_or_else(wrong)?),
            _ => (what, Measure::Value),
        };
        let (name, labels) = match selector.split_once('{') {
            Some((name, rest)) => match labels(rest).ok_or_else(wrong)? {
                (labels, "") => (name, labels),
                _ => return Err(wrong()),
            },
            None => (selector, Vec::new()),
        };
        let named = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        if name.is_empty() || !named || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(Rule { text: text.to_owned(), key: what.to_owned(), name: name.to_owned(), labels, measure, most })
    }

    /// Whether a sample is meant: it has at least these labels.
    pub(crate) fn means(&self, sample: &Sample) -> bool {
        let name = match self.measure {
            Measure::Percentile(_) => sample.name.strip_suffix("_bucket"),
            Measure::Value | Measure::Rate(_) => Some(sample.name.as_str()),
        };
        name == Some(&self.name)
            && self.labels.iter().all(|(label, value)| sample.label(label) == Some(value))
    }
}

fn measure(word: &str) -> Option<Measure> {
    if let Some(window) = word.strip_prefix("rate") {
        return humantime_of(window).map(Measure::Rate);
    }
    let percent: f64 = word.strip_prefix('p')?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(Measure::Percentile(percent))
}

fn humantime_of(text: &str) -> Option<Duration> {
    tg_core::cli::duration(text).ok().filter(|window| !window.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_and_nothing_else() {
        let rule = Rule::parse(r#"http_errors_total{code="5:0",a="="}:rate5m=0.1"#).unwrap();
        assert_eq!(
            (rule.name.as_str(), rule.measure),
            ("http_errors_total", Measure::Rate(Duration::from_mins(5)))
        );
        assert_eq!(rule.labels[1], ("code".into(), "5:0".into()));
        assert_eq!(Rule::parse("job:up=1").unwrap().name, "job:up");
        assert_eq!(Rule::parse("t:p99.9=2").unwrap().measure, Measure::Percentile(99.9));
        assert_eq!(Rule::parse("t:p99=1.5x").unwrap().most, Most::Times(1.5));
        for bad in [
            "t=0.5x",
            "t=x",
            "",
            "x",
            "x=",
            "=1",
            "x=y",
            "x{=1",
            "9x=1",
            "x y=1",
            "x:p101=1=",
            "x=NaN",
            "x{a=\"b\"}z=1",
        ] {
            assert!(Rule::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sample_is_meant_that_has_at_least_these_labels() {
        let sample = |name: &str| Sample {
            name: name.into(),
            labels: vec![("a".into(), "1".into()), ("b".into(), "2".into())],
            value: 1.0,
        };
        assert!(Rule::parse("x{b=\"2\"}=1").unwrap().means(&sample("x")));
        assert!(!Rule::parse("x{b=\"3\"}=1").unwrap().means(&sample("x")));
        assert!(!Rule::parse("x{c=\"\"}=1").unwrap().means(&sample("x")));
        assert!(Rule::parse("x:p95=1").unwrap().means(&sample("x_bucket")));
    }
}
