//! The database as a whole: how old its oldest transaction is, and since when its statistics are counted.

use std::time::SystemTime;

use serde_json::{Value, json};
use tg_core::database::Client;
use tg_core::state::State;
use tg_core::{clock, history};

use crate::freeze::{DANGER, Limits};
use crate::text;

/// Counters that are younger tell little.
const YOUNG_S: f64 = 86_400.0;
/// Two looks must be so far apart to tell how many transactions a day has.
const APART_S: f64 = 3600.0;

/// What is known of the database.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Transactions since the oldest row that is not frozen.
    pub(super) freeze_age: i64,
    /// Since when they are counted anew; `None` where they never were.
    pub(super) reset_s: Option<f64>,
    /// How long the statistics have been counted at least.
    pub(super) counted_s: f64,
    /// Bytes.
    size: i64,
    /// Transactions a day, between the last run that was written down and now.
    a_day: Option<f64>,
}

impl Standing {
    pub(super) fn ask(
        client: &mut Client,
        state: &State,
        place: &str,
    ) -> Result<Self, tg_core::database::QueryError> {
        let row = client.query_one(include_str!("../sql/standing.sql"), &[])?;
        let xid: i64 = row.try_get("xid")?;
        Ok(Standing {
            freeze_age: row.try_get("freeze_age")?,
            reset_s: row.try_get("reset_s")?,
            counted_s: row.try_get("counted_s")?,
            size: row.try_get("size")?,
            a_day: a_day(state, place, xid),
        })
    }

    /// Whether what is counted cannot tell much yet.
    pub(super) fn is_new(&self) -> bool {
        self.reset_s.is_some_and(|seconds| seconds < YOUNG_S)
    }

    /// Part of the age at which autovacuum is forced to freeze.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub(super) fn freeze_ratio(&self, limits: &Limits) -> f64 {
        self.freeze_age as f64 / limits.forced.max(1) as f64
    }

    /// Days until the server begins no further transaction, at the pace of the last days.
    #[expect(clippy::cast_precision_loss, reason = "days")]
    fn days_to_danger(&self) -> Option<f64> {
        let a_day = self.a_day.filter(|a_day| *a_day >= 1.0)?;
        Some(((DANGER - self.freeze_age) as f64 / a_day).max(0.0).round())
    }

    /// For the record.
    pub(super) fn data(&self, limits: &Limits) -> Value {
        json!({
            "kind": "database", "bytes": self.size, "freeze_age": self.freeze_age,
            "freeze_ratio": (self.freeze_ratio(limits) * 10_000.0).round() / 10_000.0,
            "freeze_forced_at": limits.forced, "danger_at": DANGER, "xids_a_day": self.a_day.map(f64::round),
            "days_to_danger": self.days_to_danger(), "statistics_s": self.counted_s.round(),
        })
    }

    /// For people.
    pub(super) fn sentence(&self, limits: &Limits) -> String {
        let days = self.days_to_danger().map_or_else(
            || "how fast is known from the next run on".to_owned(),
            |days| format!("{days:.0} days to the end at this pace"),
        );
        format!(
            "the database: {}, its oldest row is {} transactions old, {:.1} % of what forces autovacuum; {days}",
            text::bytes(Some(self.size)),
            text::count(self.freeze_age),
            self.freeze_ratio(limits) * 100.0
        )
    }
}

/// Transactions a day since the oldest run of the last month that wrote down where it was.
fn a_day(state: &State, place: &str, now: i64) -> Option<f64> {
    let past = |line: &Value| {
        let at = clock::seconds(line["ts"].as_str()?)?;
        (line["database"] == place).then_some((at, line["xid"].as_i64()?))
    };
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let month = today.saturating_sub(31 * 86_400);
    let lines = history::read(state);
    let (at, xid) = lines.iter().filter_map(past).find(|(at, _)| *at >= month)?;
    #[expect(clippy::cast_precision_loss, reason = "a pace")]
    let (seconds, xids) = (today.saturating_sub(at) as f64, (now - xid) as f64);
    (seconds >= APART_S && xids >= 0.0).then(|| xids / seconds * 86_400.0)
}
