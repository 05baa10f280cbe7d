//! How large a table or an index would be if it were written anew, by the statistics of its columns; and how far that can be believed.
//!
//! The shape of a page and of a row is that of PostgreSQL's manual, "Database Page Layout", and of `nbtree/README` for indexes: rows are laid out
//! column by column with their alignment, and what is over at the end of a page is lost.

use serde_json::{Value, json};

/// Bytes of a page, of its header, and of an index page's own data at its end.
const PAGE: f64 = 8192.0;
const PAGE_HEADER: f64 = 24.0;
const INDEX_SPECIAL: f64 = 16.0;
/// Bytes that point to a row on its page.
const ITEM: f64 = 4.0;
/// Bytes of a row's header without its null bitmap, and of an index row's.
const ROW_HEADER: u32 = 23;
const INDEX_HEADER: u32 = 8;
/// Everything begins at a multiple of this.
const MAX_ALIGN: f64 = 8.0;
/// Bytes of a row's address in a list of duplicates, and of how many bytes such a list has at most.
const ADDRESS: f64 = 6.0;
const LIST: f64 = 1352.0;
/// Keys of an inner page, about: one page in so many points to the others.
const FAN_OUT: f64 = 200.0;
/// Below this many pages one more or less is a large part.
const FEW_PAGES: i64 = 128;
/// Rows that may have changed since the statistics were made.
const CHANGED_PART: f64 = 0.1;

/// What is known of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) number: i16,
    /// Bytes, or -1 for what varies.
    pub(crate) length: i16,
    /// Bytes at whose multiples it begins.
    pub(crate) alignment: f64,
    /// Bytes on average, as stored, where it is not null; `None` without statistics.
    pub(crate) width: Option<f64>,
    /// Part of the rows where it is null.
    pub(crate) nulls: f64,
    /// Different values; below 0: a part of the rows.
    pub(crate) distinct: f64,
}

/// How an estimate was made, and how far it can be believed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bloat {
    /// Bytes that are too many.
    pub(crate) bytes: i64,
    /// Of all bytes.
    pub(crate) ratio: f64,
    /// `estimate`, `pgstattuple_approx`, `pgstatindex`.
    pub(crate) method: &'static str,
    /// Why it is not to be believed; empty where it is.
    pub(crate) doubts: Vec<&'static str>,
}

impl Bloat {
    /// Of so many pages so many would be enough.
    fn of(pages: i64, enough: f64, method: &'static str, doubts: Vec<&'static str>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "pages of a relation")]
        let (over, all) = ((pages as f64 - enough).max(0.0), pages.max(1) as f64);
        #[expect(clippy::cast_possible_truncation, reason = "bytes of a relation")]
        let bytes = (over * PAGE) as i64;
        Bloat { bytes, ratio: over / all, method, doubts }
    }

    /// Measured: so many bytes of so many are free beyond what a new one would have.
    pub(crate) fn measured(free: f64, bytes: i64, method: &'static str) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "bytes of a relation"
        )]
        let (ratio, free) = (free.max(0.0) / bytes.max(1) as f64, free.max(0.0) as i64);
        Bloat { bytes: free, ratio, method, doubts: Vec::new() }
    }

    /// Whether it can be acted on.
    pub(crate) fn is_believed(&self) -> bool {
        self.doubts.is_empty()
    }

    /// For a record.
    pub(crate) fn data(&self) -> Value {
        json!({
            "bytes": self.bytes, "ratio": (self.ratio * 10_000.0).round() / 10_000.0, "method": self.method,
            "confidence": if self.is_believed() { "good" } else { "poor" }, "doubts": self.doubts,
        })
    }
}

/// What is known of a table or an index as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relation {
    /// Pages that it has.
    pub(crate) pages: i64,
    /// Rows by the catalog, which the last vacuum or analyze left; below 0: never.
    pub(crate) rows: f64,
    /// Rows by the statistics.
    pub(crate) live: i64,
    /// Rows that were changed since the statistics were made.
    pub(crate) changed: i64,
    /// Per cent of a page that are filled.
    pub(crate) fill: f64,
}

impl Relation {
    /// What makes any estimate of it doubtful.
    fn doubts(&self) -> Vec<&'static str> {
        #[expect(clippy::cast_precision_loss, reason = "rows of a table")]
        let (live, changed) = (self.live as f64, self.changed as f64);
        let mut doubts = Vec::new();
        if self.rows < 0.0 {
            doubts.push("it was never analysed");
        } else if changed > self.rows.max(live) * CHANGED_PART {
            doubts.push("much was changed since it was analysed");
        }
        // Where counting begins anew, live rows begin at 0.
        if live > 0.0 && self.rows >= 0.0 && (self.rows > live * 2.0 || live > self.rows * 2.0) {
            doubts.push("the catalog and the statistics do not agree on its rows");
        }
        if self.pages < FEW_PAGES {
            doubts.push("it is small");
        }
        doubts
    }
}

/// A table's; `None` where nothing is known.
pub(crate) fn of_table(relation: Relation, columns: &[Column]) -> Option<Bloat> {
    if relation.rows < 0.0 && relation.live == 0 {
        return None;
    }
    let mut doubts = relation.doubts();
    if columns.iter().any(|column| column.width.is_none()) {
        doubts.push("a column has no statistics");
    }
    let nullable = columns.iter().any(|column| column.nulls > 0.0);
    let bitmap = if nullable { u32::try_from(columns.len().div_ceil(8)).unwrap_or(0) } else { 0 };
    let header = aligned(f64::from(ROW_HEADER + bitmap), MAX_ALIGN);
    let row = ITEM + whole(laid_out(header, columns), columns);
    let a_page = ((PAGE - PAGE_HEADER) * relation.fill / 100.0 / row).floor().max(1.0);
    let enough = (relation.rows.max(0.0) / a_page).ceil();
    Some(Bloat::of(relation.pages, enough, "estimate", doubts))
}

/// A B-tree's, whose columns are these; `None` where nothing is known. `unique`: it has no duplicates but those of old row versions.
pub(crate) fn of_btree(
    relation: Relation,
    columns: &[Column],
    unique: bool,
    deduplicates: bool,
) -> Option<Bloat> {
    if relation.rows < 0.0 {
        return None;
    }
    let mut doubts = relation.doubts();
    if columns.iter().any(|column| column.width.is_none()) {
        doubts.push("a column has no statistics");
    }
    let nullable = columns.iter().any(|column| column.nulls > 0.0);
    // With a null in it, a row has a bitmap for 32 columns, and begins its data after it.
    let header = aligned(f64::from(INDEX_HEADER + if nullable { 4 } else { 0 }), MAX_ALIGN);
    let key = whole(laid_out(header, columns), columns);
    let row = if unique || !deduplicates {
        key + ITEM
    } else {
        let same = duplicates(relation.rows, columns);
        if columns.len() > 1 && same > 1.0 {
            doubts.push("how many duplicates it has is not known");
        }
        // Each list holds the key once, and so many addresses.
        let in_list = same.min(((LIST - key) / ADDRESS).floor().max(1.0));
        if in_list < 2.0 {
            key + ITEM
        } else {
            (aligned(key + in_list * ADDRESS, MAX_ALIGN) + ITEM) / in_list
        }
    };
    let usable = (PAGE - PAGE_HEADER - INDEX_SPECIAL) * relation.fill / 100.0 - key - ITEM;
    let leaves = (relation.rows / (usable / row).max(1.0)).ceil();
    // One page for the index itself, and the inner pages.
    let enough = 1.0 + leaves + (leaves / FAN_OUT).ceil();
    Some(Bloat::of(relation.pages, enough, "estimate", doubts))
}

/// Rows that have the same key, on average: no more than the column with most values lets there be.
fn duplicates(rows: f64, columns: &[Column]) -> f64 {
    let values = |column: &Column| {
        if column.distinct < 0.0 { -column.distinct * rows } else { column.distinct.max(1.0) }
    };
    let most = columns.iter().map(values).fold(1.0, f64::max);
    (rows / most).max(1.0)
}

/// Where a row ends whose columns begin after its header.
fn laid_out(header: f64, columns: &[Column]) -> f64 {
    columns.iter().fold(header, |end, column| {
        let width = if column.length > 0 { f64::from(column.length) } else { column.width.unwrap_or(0.0) };
        // Short values that vary in width are stored without alignment.
        let begin = if column.length < 0 && width < 127.0 { end } else { aligned(end, column.alignment) };
        end + (begin + width - end) * (1.0 - column.nulls)
    })
}

/// Bytes of rows that end there on average. Where all end at the same place the padding is known; else it is half of what it can be.
fn whole(end: f64, columns: &[Column]) -> f64 {
    let varies = columns.iter().any(|column| column.length < 0 || column.nulls > 0.0);
    if varies { end + (MAX_ALIGN - 1.0) / 2.0 } else { aligned(end, MAX_ALIGN) }
}

fn aligned(at: f64, to: f64) -> f64 {
    (at / to).ceil() * to
}

/// Bytes of an alignment by its letter in the catalog.
pub(crate) fn alignment(letter: &str) -> f64 {
    match letter {
        "s" => 2.0,
        "i" => 4.0,
        "d" => 8.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(length: i16) -> Column {
        let width = Some(f64::from(length));
        Column { number: 1, length, alignment: f64::from(length.min(8)), width, nulls: 0.0, distinct: -1.0 }
    }

    fn text(width: f64) -> Column {
        Column { length: -1, alignment: 4.0, width: Some(width), ..fixed(4) }
    }

    fn relation(pages: i64, rows: i32) -> Relation {
        Relation { pages, rows: f64::from(rows), live: i64::from(rows), changed: 0, fill: 100.0 }
    }

    #[test]
    fn a_table_of_integers_has_226_rows_a_page() {
        // 24 bytes of header, 4 of the value, aligned: 32, and 4 to point to it.
        let rows = 226 * 1000;
        let bloat = of_table(relation(1000, rows), &[fixed(4)]).unwrap();
        assert_eq!((bloat.bytes, bloat.is_believed()), (0, true));
        let bloat = of_table(relation(4000, rows), &[fixed(4)]).unwrap();
        assert!((bloat.ratio - 0.75).abs() < 0.01, "{bloat:?}");
    }

    #[test]
    fn the_order_of_the_columns_costs_padding() {
        let row = |columns: &[Column]| whole(laid_out(24.0, columns), columns).to_string();
        assert_eq!(row(&[fixed(4), fixed(8), fixed(4)]), "48");
        assert_eq!(row(&[fixed(8), fixed(4), fixed(4)]), "40");
        assert_eq!(row(&[text(11.0), text(5.0)]), "43.5");
        assert_eq!(row(&[text(200.0), fixed(8)]), "235.5");
    }

    #[test]
    fn an_index_with_duplicates_is_not_taken_for_one_that_shrank() {
        let unique = of_btree(relation(2745, 1_000_000), &[fixed(4)], true, true).unwrap();
        assert!(unique.ratio < 0.12, "20 bytes a row: {unique:?}");
        let same = Column { distinct: 100.0, ..fixed(4) };
        let few = of_btree(relation(2745, 1_000_000), &[same], false, true).unwrap();
        assert!(few.ratio > 0.6, "7 bytes a row: {few:?}");
        let plain = of_btree(relation(2745, 1_000_000), &[same], false, false).unwrap();
        assert!(plain.ratio < 0.12, "{plain:?}");
    }

    #[test]
    fn what_can_not_be_known_is_doubted() {
        assert!(of_table(Relation { rows: -1.0, live: 0, ..relation(1000, 0) }, &[fixed(4)]).is_none());
        let doubts = |relation: Relation, column: Column| of_table(relation, &[column]).unwrap().doubts.len();
        let well = relation(1000, 100_000);
        assert_eq!(doubts(well, fixed(4)), 0);
        assert_eq!(doubts(Relation { changed: 50_000, ..well }, fixed(4)), 1);
        assert_eq!(doubts(Relation { rows: 800_000.0, ..well }, fixed(4)), 1);
        assert_eq!(doubts(well, Column { width: None, ..fixed(4) }), 1);
        assert_eq!(doubts(relation(10, 1000), fixed(4)), 1);
    }
}
