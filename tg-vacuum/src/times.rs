//! How long tables took, and how long one will take: from its own last times, else from its pages and the pace of this server.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tg_core::state::State;
use tg_core::{Error, atomic_file};

use crate::statement::Action;
use crate::table::{PAGE, Table};

/// The file in the state directory.
const FILE: &str = "vacuum-times.json";
/// So many of a table's last times are kept: one in a month is a long one.
const KEPT: usize = 5;
/// Bytes a second, before anything was measured: a slow disk.
const SLOW: f64 = 20.0 * 1024.0 * 1024.0;
/// What `ANALYZE` reads at most: 300 pages for each unit of the statistics target, 100 by default.
const SAMPLE: i64 = 30_000;
/// One that was cancelled would have taken longer than it took.
const CUT: f64 = 1.5;
/// A table takes no less than this: its transaction, its catalog rows.
const LEAST: Duration = Duration::from_millis(5);

/// One time that a table took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Time {
    ms: u64,
    bytes: i64,
    /// It was cancelled then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

/// All times of a database.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Times {
    #[serde(skip)]
    path: PathBuf,
    /// By database, action, and table.
    all: BTreeMap<String, HashMap<String, Vec<Time>>>,
    /// Bytes a second, by database: the slow end of what was seen.
    pace: BTreeMap<String, f64>,
    #[serde(skip)]
    place: String,
}

impl Times {
    /// What is remembered of a database; nothing where the file can't be read, for it only helps to guess.
    pub(crate) fn of(state: &State, place: &str) -> Self {
        let path = state.root().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut times: Times = serde_json::from_str(&text).unwrap_or_default();
        (times.path, times.place) = (path, place.to_owned());
        times
    }

    /// How long this table will take, not too little.
    pub(crate) fn predict(&self, table: &Table, action: Action, aggressive: bool) -> Duration {
        let known = self.all.get(&self.place).and_then(|tables| tables.get(&key(table, action)));
        let by_pages = || {
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let bytes = bytes_to_read(table, action, aggressive) as f64;
            Duration::from_secs_f64(bytes / self.pace.get(&self.place).copied().unwrap_or(SLOW))
        };
        let guess = match known.and_then(|times| times.iter().map(|time| grown(time, table.bytes())).max()) {
            // All of it has to be frozen this time, which the times before may not have done.
            Some(time) if aggressive => time.max(by_pages()),
            Some(time) => time,
            None => by_pages(),
        };
        guess.max(LEAST)
    }

    /// Remembers a time.
    pub(crate) fn learn(&mut self, table: &Table, action: Action, took: Duration, cut: bool) {
        self.keep(key(table, action), table.bytes(), took, cut);
    }

    /// How long an index of so many bytes will take to be built anew: its table is read twice, and it is sorted.
    pub(crate) fn predict_index(&self, name: &str, bytes: i64) -> Duration {
        let known = self.all.get(&self.place).and_then(|all| all.get(&index_key(name)));
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let by_size = || {
            Duration::from_secs_f64(
                bytes.max(PAGE) as f64 * 4.0 / self.pace.get(&self.place).copied().unwrap_or(SLOW),
            )
        };
        let longest = known.and_then(|times| times.iter().map(|time| grown(time, bytes)).max());
        longest.unwrap_or_else(by_size).max(LEAST)
    }

    /// Remembers how long an index took.
    pub(crate) fn learn_index(&mut self, name: &str, bytes: i64, took: Duration, cut: bool) {
        self.keep(index_key(name), bytes, took, cut);
    }

    fn keep(&mut self, key: String, bytes: i64, took: Duration, cut: bool) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let times = self.all.entry(self.place.clone()).or_default().entry(key).or_default();
        times.retain(|time| !time.cut);
        times.push(Time { ms, bytes, cut });
        let over = times.len().saturating_sub(KEPT);
        times.drain(..over);
    }

    /// Remembers how fast this server reads: a part of the way towards what was seen, further when it was slower.
    pub(crate) fn learn_pace(&mut self, bytes: u64, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seen = bytes as f64 / took.as_secs_f64().max(0.001);
        let pace = self.pace.entry(self.place.clone()).or_insert(SLOW);
        let part = if seen < *pace { 0.5 } else { 0.2 };
        *pace += (seen - *pace) * part;
    }

    /// Keeps what was learnt.
    pub(crate) fn save(&self) -> Result<(), Error> {
        let text =
            serde_json::to_vec(self).map_err(|e| Error::file(&self.path, &std::io::Error::other(e)))?;
        atomic_file::write(&self.path, &text)
    }
}

/// A time, where the table has grown since, or was not finished then.
fn grown(time: &Time, bytes: i64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let growth = (bytes.max(1) as f64 / time.bytes.max(1) as f64).max(1.0);
    Duration::from_millis(time.ms).mul_f64(growth * if time.cut { CUT } else { 1.0 })
}

fn index_key(name: &str) -> String {
    format!("reindex {name}")
}

fn key(table: &Table, action: Action) -> String {
    format!("{} {}", action.name(), table.quoted())
}

/// What has to be read: what is not known to be all visible, or all of it; the indexes where dead rows point out of them.
fn bytes_to_read(table: &Table, action: Action, aggressive: bool) -> i64 {
    let analyze = table.pages.min(SAMPLE);
    let pages = match action {
        Action::Analyze => analyze,
        Action::Vacuum | Action::Freeze => {
            let heap = if aggressive || action == Action::Freeze { table.pages } else { table.unseen_pages };
            // Twice: to find the dead rows, and to take them out.
            let dead = if table.dead > 0 { heap + table.index_pages } else { 0 };
            heap + dead + analyze
        }
    };
    pages.max(1) * PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> (tempfile::TempDir, Times) {
        let dir = tempfile::tempdir().unwrap();
        let times = Times::of(&State::at(dir.path().to_owned()), "db");
        (dir, times)
    }

    fn table(pages: i64) -> Table {
        Table { name: "t".into(), size: pages * PAGE, pages, unseen_pages: pages, ..Table::default() }
    }

    #[test]
    fn a_table_takes_as_long_as_its_longest_time_and_longer_when_it_has_grown() {
        let (dir, mut times) = times();
        let t = table(1000);
        let before = times.predict(&t, Action::Vacuum, false);
        for ms in [100, 900, 200] {
            times.learn(&t, Action::Vacuum, Duration::from_millis(ms), false);
        }
        assert_ne!(before.as_millis(), 900);
        assert_eq!(times.predict(&t, Action::Vacuum, false).as_millis(), 900);
        assert_eq!(times.predict(&table(2000), Action::Vacuum, false).as_millis(), 1800);
        assert_eq!(times.predict(&table(10), Action::Vacuum, false).as_millis(), 900);
        assert!(times.predict(&t, Action::Analyze, false).as_millis() < 900, "another action");
        times.save().unwrap();
        let again = Times::of(&State::at(dir.path().to_owned()), "db");
        assert_eq!(again.predict(&t, Action::Vacuum, false).as_millis(), 900);
        let other = Times::of(&State::at(dir.path().to_owned()), "other");
        assert_eq!(other.predict(&t, Action::Vacuum, false), before);
    }

    #[test]
    fn one_that_was_cancelled_takes_longer_until_it_was_done() {
        let (_dir, mut times) = times();
        let t = table(1);
        times.learn(&t, Action::Vacuum, Duration::from_secs(10), true);
        assert_eq!(times.predict(&t, Action::Vacuum, false).as_secs(), 15);
        times.learn(&t, Action::Vacuum, Duration::from_secs(12), false);
        assert_eq!(times.predict(&t, Action::Vacuum, false).as_secs(), 12);
    }

    #[test]
    fn what_is_old_is_read_as_a_whole_and_the_pace_is_learnt() {
        let (_dir, mut times) = times();
        let t = Table { unseen_pages: 0, ..table(10_000) };
        let quick = times.predict(&t, Action::Analyze, false);
        assert!(times.predict(&t, Action::Vacuum, true) > times.predict(&t, Action::Vacuum, false));
        for _ in 0..30 {
            times.learn_pace(1 << 30, Duration::from_secs(1));
        }
        assert!(times.predict(&t, Action::Analyze, false) < quick / 10);
    }
}
