//! Metrics in Prometheus' text format, without a Prometheus: <https://prometheus.io/docs/instrumenting/exposition_formats/>

mod counter;
mod exposition;
mod quantile;
mod rule;

pub(crate) use counter::Counter;
pub(crate) use exposition::{Sample, samples};
pub(crate) use quantile::quantile;
pub(crate) use rule::{Measure, Most, Rule};
