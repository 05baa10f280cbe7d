//! One row of the report: a table or an index, what is wrong with it, and how it looks on a terminal.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::finding::Finding;
use super::index::Index;
use super::relation::{self, Relation};
use crate::bloat::Bloat;
use crate::grid;
use crate::text;

const HEADER: [&str; 7] =
    ["table or index", "size", "live rows", "dead rows", "dead", "bloat", "last vacuum"];
/// Characters of a full bar.
const BAR: f64 = 8.0;

enum What {
    Table {
        relation: Box<Relation>,
        /// Dead rows at which autovacuum comes.
        due: f64,
    },
    Index(Box<Index>),
}

/// A table or an index.
pub(super) struct Row {
    what: What,
    findings: Vec<Finding>,
}

impl Row {
    pub(super) fn table(relation: Relation, findings: Vec<Finding>, due: f64) -> Self {
        Row { what: What::Table { relation: Box::new(relation), due }, findings }
    }

    pub(super) fn index(index: Index, findings: Vec<Finding>) -> Self {
        Row { what: What::Index(Box::new(index)), findings }
    }

    /// Tables with most dead rows first, as the guide has them; then what is most bloated.
    pub(super) fn by_weight(a: &Self, b: &Self) -> Ordering {
        let wasted = |row: &Self| row.bloat().map_or(0, |bloat| bloat.bytes);
        (b.dead(), wasted(b)).cmp(&(a.dead(), wasted(a))).then_with(|| a.label().cmp(&b.label()))
    }

    pub(super) fn label(&self) -> String {
        match &self.what {
            What::Table { relation, .. } => text::label(&relation.schema, &relation.name),
            What::Index(index) => index.label(),
        }
    }

    pub(super) fn dead(&self) -> i64 {
        match &self.what {
            What::Table { relation, .. } => relation.dead,
            What::Index(_) => 0,
        }
    }

    pub(super) fn dead_ratio(&self) -> Option<f64> {
        match &self.what {
            What::Table { relation, .. } => relation.dead_ratio(),
            What::Index(_) => None,
        }
    }

    pub(super) fn bloat(&self) -> Option<&Bloat> {
        match &self.what {
            What::Table { relation, .. } => relation.bloat.as_ref(),
            What::Index(index) => index.bloat.as_ref(),
        }
    }

    /// Whether nobody may look how large it is.
    pub(super) fn is_locked(&self) -> bool {
        match &self.what {
            What::Table { relation, .. } => relation.size.is_none() && !relation.parent,
            What::Index(index) => index.size.is_none(),
        }
    }

    pub(super) fn has(&self, code: &str) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }

    /// For the record.
    pub(super) fn data(&self) -> Value {
        let mut data = match &self.what {
            What::Table { relation, due } => table_data(relation, *due),
            What::Index(index) => index_data(index),
        };
        data["bloat"] = self.bloat().map_or(Value::Null, Bloat::data);
        data["findings"] = json!(self.findings.iter().map(|f| f.code).collect::<Vec<_>>());
        data["advice"] = json!(self.findings.iter().map(|f| &f.advice).collect::<Vec<_>>());
        data
    }

    fn cells(&self) -> [String; 7] {
        let bloat = self.bloat().map_or_else(|| "?".to_owned(), bar);
        match &self.what {
            What::Table { relation, .. } => {
                let by_hand = relation::time(relation.last_vacuum);
                let by_itself = relation::time(relation.last_autovacuum);
                [
                    self.label(),
                    text::bytes(relation.size.map(|size| size.total)),
                    text::count(relation.live),
                    text::count(relation.dead),
                    self.dead_ratio().map_or_else(|| "-".into(), |ratio| format!("{:.1} %", ratio * 100.0)),
                    if relation.parent { "-".into() } else { bloat },
                    latest(by_hand.as_ref(), by_itself.as_ref()),
                ]
            }
            What::Index(index) => {
                let blank = String::new;
                [
                    format!("  {}", self.label()),
                    text::bytes(index.size),
                    blank(),
                    blank(),
                    blank(),
                    bloat,
                    blank(),
                ]
            }
        }
    }
}

/// The lines below the header: a row each, with its advice below it.
pub(super) fn lines(rows: &[Row]) -> Vec<String> {
    let aligned = grid::align(&with_header(rows));
    let advice = |row: &Row| {
        let advice =
            row.findings.iter().map(|finding| format!("\n      {}", text::one_line(&finding.advice, 120)));
        advice.collect::<String>()
    };
    aligned[1..].iter().zip(rows).map(|(line, row)| format!("{line}{}", advice(row))).collect()
}

pub(super) fn header(rows: &[Row]) -> String {
    grid::align(&with_header(rows)).into_iter().next().unwrap_or_default()
}

fn with_header(rows: &[Row]) -> Vec<[String; 7]> {
    std::iter::once(HEADER.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect()
}

fn table_data(relation: &Relation, due: f64) -> Value {
    let size = relation.size;
    json!({
        "kind": "table", "schema": relation.schema, "table": relation.name,
        "size_bytes": size.map(|size| size.total), "table_bytes": size.map(|size| size.own),
        "index_bytes": size.map(|size| size.indexes),
        "toast_bytes": size.map(|size| size.total - size.own - size.indexes),
        "live": relation.live, "dead": relation.dead,
        "dead_ratio": relation.dead_ratio().map(|ratio| (ratio * 10_000.0).round() / 10_000.0),
        "changed_since_analyze": relation.changed, "written": relation.written, "autovacuum_due": due.round(),
        "last_vacuum": relation::time(relation.last_vacuum), "last_autovacuum": relation::time(relation.last_autovacuum),
        "last_analyze": relation::time(relation.last_analyze), "last_autoanalyze": relation::time(relation.last_autoanalyze),
        "freeze_age": relation.freeze_age,
    })
}

fn index_data(index: &Index) -> Value {
    let mut data = Value::Object(index.names());
    let facts = json!({
        "kind": "index", "method": index.method, "size_bytes": index.size, "scans": index.scans, "valid": index.valid,
        "same_as": index.same_as,
    });
    if let (Value::Object(data), Value::Object(facts)) = (&mut data, facts) {
        data.extend(facts);
    }
    data
}

/// `█████    62 %`; with a question mark where it is not to be believed.
fn bar(bloat: &Bloat) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8")]
    let full = (bloat.ratio.clamp(0.0, 1.0) * BAR).round() as usize;
    let doubt = if bloat.is_believed() { ' ' } else { '?' };
    format!("{:<8} {:>3.0} %{doubt}", "█".repeat(full), bloat.ratio * 100.0)
}

/// The later of two times to the minute; both are UTC and have the same form.
fn latest(by_hand: Option<&String>, by_itself: Option<&String>) -> String {
    let time = by_hand.max(by_itself).and_then(|time| time.get(..16));
    time.map_or_else(|| "never".into(), |time| time.replace('T', " "))
}
