//! The report as node_exporter's textfile collector reads it.

use std::time::SystemTime;

use tg_core::gauges::{Gauge, exposition, seconds};

use super::row::Row;
use super::standing::Standing;

/// Gauges of the whole database: a table's own would be too many.
pub(super) fn text(database: &str, rows: &[Row], standing: &Standing, good: bool) -> String {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    let whole = |number: i64| Some(number as f64);
    let count =
        |code: &str| whole(rows.iter().filter(|row| row.has(code)).count().try_into().unwrap_or(i64::MAX));
    let wasted = rows.iter().filter_map(|row| row.bloat().filter(|b| b.is_believed())).map(|b| b.bytes).sum();
    let gauges = [
        Gauge::new(
            "report_ok",
            "Whether the report that wrote this file found nothing over its limits",
            Some(f64::from(u8::from(good))),
        ),
        Gauge::new("report_timestamp_seconds", "When it was written", Some(seconds(SystemTime::now()))),
        Gauge::new(
            "dead_rows",
            "Dead rows of the tables that were listed",
            whole(rows.iter().map(Row::dead).sum()),
        ),
        Gauge::new(
            "bloat_bytes",
            "Bytes that tables and indexes have too many, where that can be believed",
            whole(wasted),
        ),
        Gauge::new("bloated_count", "Tables and indexes that are bloated", count("bloated")),
        Gauge::new("invalid_index_count", "Indexes that are written and can't be read", count("invalid")),
        Gauge::new(
            "behind_count",
            "Tables that autovacuum does not keep up with",
            count("autovacuum-behind"),
        ),
        Gauge::new(
            "freeze_age",
            "Transactions since the oldest row that is not frozen",
            whole(standing.freeze_age),
        ),
    ];
    exposition("tg_vacuum", database, &gauges)
}
