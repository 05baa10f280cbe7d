//! Figures as node_exporter's textfile collector reads them (the Prometheus text exposition format).

use std::fmt::Write as _;
use std::time::SystemTime;

/// One figure of a database.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    name: &'static str,
    help: &'static str,
    value: Option<f64>,
}

impl Gauge {
    /// A value that is not known is left out.
    #[must_use]
    pub fn new(name: &'static str, help: &'static str, value: Option<f64>) -> Self {
        Gauge { name, help, value }
    }
}

/// Name, help and value of each that is known, under the tool's prefix.
#[must_use]
pub fn exposition(prefix: &str, database: &str, gauges: &[Gauge]) -> String {
    let label = label(database);
    let mut text = String::new();
    for Gauge { name, help, value } in gauges {
        if let Some(value) = value {
            let _ = writeln!(text, "# HELP {prefix}_{name} {help}");
            let _ = writeln!(text, "# TYPE {prefix}_{name} gauge");
            let _ = writeln!(text, "{prefix}_{name}{{database=\"{label}\"}} {value}");
        }
    }
    text
}

/// Whole seconds since 1970, as Prometheus has times.
#[must_use]
pub fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64().floor())
}

/// A label's value, escaped as the exposition format asks.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gauge_has_help_type_and_value_and_the_unknown_is_left_out() {
        let gauges = [Gauge::new("ok", "Whether", Some(1.0)), Gauge::new("age", "How old", None)];
        assert_eq!(
            exposition("tg", "a\"b", &gauges),
            "# HELP tg_ok Whether\n# TYPE tg_ok gauge\ntg_ok{database=\"a\\\"b\"} 1\n"
        );
    }
}
