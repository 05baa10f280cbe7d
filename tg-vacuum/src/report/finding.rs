//! What is wrong with a table or an index, and the command that would help.

use tg_core::database::ident;

use super::autovacuum::Autovacuum;
use super::index::Index;
use super::measure::BLOATED;
use super::relation::Relation;
use crate::bloat::Bloat;
use crate::freeze::Limits;
use crate::text;

/// Bytes below which nobody cares how full they are.
pub(super) const WORTH: i64 = 8 << 20;
/// An index that is never read costs each write; a small one costs little.
const WORTH_DROPPING: i64 = 1 << 20;
/// Statistics that are younger do not tell what is never read.
const LONG_ENOUGH_S: f64 = 7.0 * 86_400.0;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// For programs.
    pub(crate) code: &'static str,
    /// One line for people.
    pub(crate) advice: String,
}

/// What all findings depend on.
pub(super) struct Grounds {
    pub(super) min_dead: i64,
    pub(super) limits: Limits,
    pub(super) autovacuum: Autovacuum,
    /// How long the statistics have been counted.
    pub(super) counted_s: f64,
}

/// Whether so much is too much, and can be believed.
fn is_bloated(bloat: Option<&Bloat>) -> bool {
    bloat.is_some_and(|bloat| bloat.is_believed() && bloat.ratio > BLOATED && bloat.bytes >= WORTH)
}

/// Of a table.
pub(super) fn of_table(relation: &Relation, grounds: &Grounds) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut find = |code, advice: String| found.push(Finding { code, advice });
    let quoted = format!("{}.{}", ident(&relation.schema), ident(&relation.name));
    let forced = grounds.limits.forced;
    if relation.freeze_age > forced {
        find(
            "freeze",
            format!("freeze it: VACUUM (FREEZE) {quoted}; autovacuum has to, and does not come through"),
        );
    } else if relation.freeze_age > grounds.limits.early() {
        find(
            "freeze-soon",
            format!("tg-vacuum --freeze --tables '{quoted}', before autovacuum is forced to"),
        );
    }
    if let Some(cure) = relation.autovacuum(&grounds.autovacuum).cure(relation, &quoted) {
        find("autovacuum-behind", cure);
    }
    if is_bloated(relation.bloat.as_ref()) {
        let bytes = relation.bloat.as_ref().map(|bloat| bloat.bytes);
        find("bloated", format!("{} could be given back: tg-vacuum repack --plan", text::bytes(bytes)));
    }
    if relation.dead > grounds.min_dead {
        find("dead-rows", format!("tg-vacuum --tables '{quoted}'"));
    }
    if relation.without_statistics {
        find("parent-without-statistics", format!("ANALYZE {quoted}; autovacuum never does it for a parent"));
    }
    found
}

/// Of an index. `live`: rows of its table.
pub(super) fn of_index(index: &Index, live: i64, grounds: &Grounds) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut find = |code, advice: String| found.push(Finding { code, advice });
    let quoted = index.quoted();
    if index.is_leftover() {
        find(
            "leftover",
            format!("an interrupted REINDEX CONCURRENTLY left it: DROP INDEX CONCURRENTLY {quoted};"),
        );
    } else if !index.valid {
        find(
            "invalid",
            format!("it is written and never read: REINDEX INDEX CONCURRENTLY {quoted}; or drop it"),
        );
    }
    if is_bloated(index.bloat.as_ref()) {
        find("bloated", format!("REINDEX INDEX CONCURRENTLY {quoted};"));
    }
    if let Some(other) = &index.same_as {
        find("duplicate", format!("{other} does the same: DROP INDEX CONCURRENTLY {quoted};"));
    }
    let counted = grounds.counted_s > LONG_ENOUGH_S;
    let large = index.size.is_some_and(|size| size >= WORTH_DROPPING);
    if index.scans == 0 && !index.needed && !index.unique && !index.part && large && counted && live > 0 {
        find(
            "unused",
            format!("nobody has read it here; if no standby does: DROP INDEX CONCURRENTLY {quoted};"),
        );
    }
    found
}
