//! The standing of backups as node_exporter's textfile collector reads it.

use std::time::SystemTime;

use tg_core::gauges::{Gauge, exposition, seconds};

use crate::check::Standing;

/// Name, help and value of each gauge; a value that is not known is left out.
pub(crate) fn text(standing: &Standing, good: bool, now: SystemTime) -> String {
    let newest = standing.newest.as_ref();
    let proven = standing.newest_verified.as_ref();
    // A time that has not come yet would look fresh to whoever subtracts it.
    let come = |created: &str| !tg_core::clock::is_future(created);
    let time = |created: &str| humantime::parse_rfc3339(created).ok().filter(|_| come(created)).map(seconds);
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
    let whole = |number: u64| number as f64;
    let gauges = [
        Gauge::new(
            "check_ok",
            "Whether the check that wrote this file said yes",
            Some(f64::from(u8::from(good))),
        ),
        Gauge::new("check_timestamp_seconds", "When it was written", Some(seconds(now))),
        Gauge::new(
            "count",
            "Backups with a manifest that can be believed",
            Some(whole(standing.backups as u64)),
        ),
        Gauge::new(
            "damaged_count",
            "Directories whose manifest can't be believed",
            Some(whole(standing.damaged as u64)),
        ),
        Gauge::new(
            "newest_timestamp_seconds",
            "When the newest backup was made",
            newest.and_then(|m| time(&m.created)),
        ),
        Gauge::new("newest_size_bytes", "Size of the newest backup", newest.map(|m| whole(m.bytes()))),
        Gauge::new(
            "newest_duration_seconds",
            "How long it took",
            newest.map(|m| whole(m.duration_ms) / 1000.0),
        ),
        Gauge::new(
            "newest_verified_timestamp_seconds",
            "When the newest verified backup was made",
            proven.and_then(|(m, _)| time(&m.created)),
        ),
        Gauge::new(
            "newest_verified_restore_seconds",
            "How long its data took to come back",
            proven.map(|(_, proof)| whole(proof.restore_ms) / 1000.0),
        ),
    ];
    exposition("tg_backup", &standing.database, &gauges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tg_core::backup::synthetic::synthetic;

    #[test]
    fn each_gauge_has_help_type_and_value_and_the_unknown_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        let (manifest, _) = synthetic(root.path());
        let standing =
            Standing { database: "a\"b".into(), backups: 1, newest: Some(manifest), ..Standing::default() };
        let text = text(&standing, true, SystemTime::UNIX_EPOCH + Duration::from_secs(90));
        assert!(
            text.contains("# TYPE tg_backup_check_ok gauge\ntg_backup_check_ok{database=\"a\\\"b\"} 1\n")
        );
        assert!(text.contains("tg_backup_check_timestamp_seconds{database=\"a\\\"b\"} 90\n"), "{text}");
        assert!(
            text.contains("tg_backup_newest_timestamp_seconds{database=\"a\\\"b\"} 1795419900\n"),
            "{text}"
        );
        assert!(!text.contains("verified"), "{text}");
        assert_eq!(text.lines().count() % 3, 0);
    }
}
