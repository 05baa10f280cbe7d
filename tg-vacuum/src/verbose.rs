//! What a verbose VACUUM says that it did, table by table: the words of PostgreSQL 13 to 18
//! (`src/backend/access/heap/vacuumlazy.c`), in English, which the session asks for where it may.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::notice::Said;

/// What was done to a table, its TOAST with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Done {
    /// Dead rows that are gone.
    pub(crate) removed: i64,
    /// Dead rows that somebody could still see.
    pub(crate) held: i64,
    /// Pages that were read, of so many.
    pub(crate) scanned: i64,
    pub(crate) pages: i64,
    /// Dead rows whose entries in indexes were left, in the server's words; not where they are too few to matter.
    pub(crate) bypassed: Option<String>,
    /// How often all indexes were gone through; more than once where the memory was too small.
    pub(crate) index_passes: i64,
    /// Transactions before which rows could be removed, and how far back it was in the end.
    pub(crate) cutoff: Option<i64>,
    pub(crate) cutoff_age: Option<i64>,
    /// Bytes of write-ahead log.
    pub(crate) wal: Option<i64>,
    /// Time that was slept to be gentle, in ms (18 and later, `track_cost_delay_timing`).
    pub(crate) delayed_ms: Option<f64>,
}

impl Done {
    /// For a record.
    pub(crate) fn data(&self) -> Map<String, Value> {
        let mut data = Map::new();
        let mut put = |key: &str, value: Value| drop(data.insert(key.into(), value));
        put("removed", json!(self.removed));
        put("not_removable", json!(self.held));
        put("pages", json!(self.pages));
        put("pages_scanned", json!(self.scanned));
        put("index_passes", json!(self.index_passes));
        put("cutoff_age", json!(self.cutoff_age));
        put("wal_bytes", json!(self.wal));
        if let Some(ms) = self.delayed_ms {
            put("delayed_ms", json!(ms.round()));
        }
        data
    }

    /// Adds what was done to its TOAST.
    pub(crate) fn add(&mut self, other: &Done) {
        self.removed += other.removed;
        self.held += other.held;
        self.scanned += other.scanned;
        self.pages += other.pages;
        self.index_passes = self.index_passes.max(other.index_passes);
        self.bypassed = self.bypassed.take().or_else(|| other.bypassed.clone());
        self.cutoff = self.cutoff.or(other.cutoff);
        self.cutoff_age = self.cutoff_age.max(other.cutoff_age);
        self.wal = match (self.wal, other.wal) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
        };
        self.delayed_ms = match (self.delayed_ms, other.delayed_ms) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
        };
    }
}

/// Whose figures they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    /// `schema.table`, without quotes, as the server says it.
    Table(String),
    /// The TOAST of the table with this number.
    ToastOf(u32),
}

/// All that was said of vacuumed tables, by table. `database`: its name, which newer servers say too.
pub(crate) fn read(said: &[Said], database: &str) -> HashMap<Whose, Done> {
    let mut all: HashMap<Whose, Done> = HashMap::new();
    let mut last: Option<Whose> = None;
    for said in said.iter().filter(|said| !said.warning) {
        if let Some((whose, done)) = one(said, database, last.as_ref()) {
            all.entry(whose.clone()).or_default().add(&done);
            last = Some(whose);
        } else if let Some(name) = between(&said.message, "vacuuming \"", "\"") {
            // 12 to 14 name the schema here, and not with the figures.
            last = Some(whose(name, database));
        }
    }
    all
}

/// The tables, as `schema.table`, whose analysis was begun. It ends with its statement.
pub(crate) fn analyzed(said: &[Said]) -> HashSet<&str> {
    let begun = said.iter().filter(|said| !said.warning && said.message.starts_with("analyzing \""));
    begun.filter_map(|said| between(&said.message, "analyzing \"", "\"")).collect()
}

fn one(said: &Said, database: &str, last: Option<&Whose>) -> Option<(Whose, Done)> {
    let text = &said.message;
    if let Some(name) = between(text, "finished vacuuming \"", "\": index scans: ") {
        return Some((whose(name, database), figures(text)));
    }
    // 12 to 14: "t": found 4000 removable, 1000 nonremovable row versions in 23 out of 23 pages
    let (_, found) = text.rsplit_once("\": found ")?;
    let [removed, _, scanned, pages] = numbers(found)?;
    let [held, cutoff] = numbers(&said.detail).unwrap_or_default();
    let done = Done { removed, held, scanned, pages, cutoff: Some(cutoff), ..Done::default() };
    Some((last?.clone(), done))
}

fn figures(text: &str) -> Done {
    let line = |word: &str| text.lines().find(|line| line.starts_with(word)).unwrap_or_default();
    // pages: 0 removed, 23 remain, 23 scanned (100.00% of total)
    let [_, pages, scanned] = numbers(line("pages: ")).unwrap_or_default();
    // tuples: 4000 removed, 1000 remain, 0 are dead but not yet removable
    let [removed, _, held] = numbers(line("tuples: ")).unwrap_or_default();
    // removable cutoff: 746, which was 0 XIDs old when operation ended
    let [cutoff, age] =
        numbers(line("removable cutoff: ")).map_or([None; 2], |both: [i64; 2]| both.map(Some));
    let [passes] = text.rsplit_once("index scans: ").and_then(|(_, rest)| numbers(rest)).unwrap_or_default();
    // WAL usage: 28 records, 1 full page images, 12345 bytes
    let wal = numbers(line("WAL usage: ")).map(|[_, _, bytes]: [i64; 3]| bytes);
    // delay time: 12.345 ms
    let delayed = line("delay time: ").split_whitespace().nth(2).and_then(|ms| ms.parse().ok());
    Done {
        removed,
        held,
        scanned,
        pages,
        bypassed: bypassed(text),
        index_passes: passes,
        cutoff,
        cutoff_age: age,
        wal,
        delayed_ms: delayed,
    }
}

/// Below this part of a table's pages a vacuum leaves the indexes alone by itself, until there is more to do in them
/// (`BYPASS_THRESHOLD_PAGES` in `vacuumlazy.c`).
const BYPASS_PERCENT: f64 = 2.0;

/// index scan bypassed: 23 pages from table (100.00% of total) have 4000 dead item identifiers
fn bypassed(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("index scan bypassed"))?;
    let percent = line.split_once('(').and_then(|(_, rest)| rest.split_once('%'))?.0.parse::<f64>().ok()?;
    (line.contains("failsafe") || percent > BYPASS_PERCENT).then(|| line.to_owned())
}

/// The first whole numbers of a text; `None` where there are fewer.
fn numbers<const N: usize>(text: &str) -> Option<[i64; N]> {
    let mut found = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .filter_map(|part| part.parse().ok());
    let mut all = [0; N];
    for number in &mut all {
        *number = found.next()?;
    }
    Some(all)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    // A name may hold quotes: its end is the last one that fits.
    let line = rest.lines().next().unwrap_or_default();
    Some(&line[..line.rfind(after)?])
}

fn whose(name: &str, database: &str) -> Whose {
    let name = name.strip_prefix(database).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
    match name.strip_prefix("pg_toast.pg_toast_").and_then(|oid| oid.parse().ok()) {
        Some(oid) => Whose::ToastOf(oid),
        None => Whose::Table(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(message: &str, detail: &str) -> Said {
        Said {
            warning: false,
            code: postgres::error::SqlState::SUCCESSFUL_COMPLETION,
            message: message.into(),
            detail: detail.into(),
        }
    }

    const EIGHTEEN: &str = "finished vacuuming \"db.a b.t \"x\".y\": index scans: 2
pages: 0 removed, 230 remain, 23 scanned (10.00% of total), 0 eagerly scanned
tuples: 4000 removed, 1000 remain, 7 are dead but not yet removable
removable cutoff: 746, which was 3 XIDs old when operation ended
new relfrozenxid: 744, which is 2 XIDs ahead of previous value
frozen: 0 pages from table (0.00% of total) had 0 tuples frozen
visibility map: 23 pages set all-visible, 0 pages set all-frozen (0 were all-visible)
index scan needed: 23 pages from table (100.00% of total) had 4000 dead item identifiers removed
index \"t_pkey\": pages: 14 in total, 0 newly deleted, 0 currently deleted, 0 reusable
delay time: 12.500 ms
avg read rate: 0.000 MB/s, avg write rate: 0.000 MB/s
buffer usage: 133 hits, 0 reads, 0 dirtied
WAL usage: 88 records, 1 full page images, 12345 bytes, 0 buffers full
system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.00 s";

    #[test]
    fn a_table_s_figures_are_read_whatever_its_name_and_its_toast_s_are_told_apart() {
        let toast = "finished vacuuming \"db.pg_toast.pg_toast_77\": index scans: 0\npages: 0 removed, 5 remain, 1 scanned (20.00% of total)\ntuples: 1 removed, 2 remain, 3 are dead but not yet removable";
        let all = read(&[info(EIGHTEEN, ""), info(toast, "")], "db");
        let done = &all[&Whose::Table("a b.t \"x\".y".into())];
        assert_eq!((done.removed, done.held, done.scanned, done.pages), (4000, 7, 23, 230));
        assert_eq!((done.index_passes, done.cutoff, done.cutoff_age), (2, Some(746), Some(3)));
        assert_eq!((done.wal, done.delayed_ms), (Some(12_345), Some(12.5)));
        assert_eq!(all[&Whose::ToastOf(77)].held, 3);
    }

    #[test]
    fn fourteen_names_the_table_before_its_figures() {
        let said = [
            info("vacuuming \"public.t\"", ""),
            info(
                "\"t\": found 4000 removable, 1000 nonremovable row versions in 23 out of 30 pages",
                "5 dead row versions cannot be removed yet, oldest xmin: 746\nSkipped 0 pages due to buffer pins, 0 frozen pages.",
            ),
        ];
        let done = &read(&said, "db")[&Whose::Table("public.t".into())];
        assert_eq!((done.removed, done.held, done.scanned, done.pages), (4000, 5, 23, 30));
        assert_eq!(done.cutoff, Some(746));
    }

    #[test]
    fn indexes_that_were_left_are_told_and_not_where_the_server_saves_itself_the_work() {
        let line = |start: &str, percent: &str| {
            bypassed(&format!(
                "pages: 1\n{start}: 23 pages from table ({percent}% of total) have 4000 dead item identifiers"
            ))
        };
        assert!(line("index scan bypassed", "100.00").is_some_and(|told| told.contains("4000 dead")));
        assert!(line("index scan bypassed by failsafe", "0.10").is_some());
        assert_eq!([line("index scan bypassed", "1.90"), line("index scan needed", "100.00")], [None, None]);
    }

    #[test]
    fn whose_analysis_was_begun_is_read_whatever_its_name() {
        let said = [info("analyzing \"a b.t \"x\".y\"", ""), info("analyzing \"s.p\" inheritance tree", "")];
        assert_eq!(analyzed(&said), HashSet::from(["a b.t \"x\".y", "s.p"]));
    }

    #[test]
    fn another_language_is_not_misread() {
        assert!(
            read(&[info("beende Vacuum von \u{bb}db.public.t\u{ab}: Indexdurchl\u{e4}ufe: 0", "")], "db")
                .is_empty()
        );
    }
}
