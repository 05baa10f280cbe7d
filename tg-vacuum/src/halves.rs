//! What a statement did to a table: a `VACUUM (ANALYZE)` is two pieces of work, of which the server may do one and pass the
//! other over with a warning. Each is looked at by itself, and only what was looked at is done.

use postgres::error::SqlState;
use serde_json::{Map, Value};
use tg_core::Truth;

use crate::count::{Change, Count};
use crate::notice::Said;
use crate::statement::Action;
use crate::verbose::Done;

/// Whether each piece of work was done; `None`: it was not wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Halves {
    /// The table, its indexes and its TOAST.
    pub(crate) vacuumed: Option<Truth>,
    pub(crate) analyzed: Truth,
    /// All rows that were there when the statement began.
    pub(crate) frozen: Option<Truth>,
    /// Something was done, if not all of a half.
    begun: bool,
    /// What is missing and why, as far as it is known here.
    notes: Vec<String>,
}

/// What was wanted of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) action: Action,
    /// Its TOAST was meant too.
    pub(crate) toast: bool,
    /// Before which transaction all rows were to be frozen; `None`: all that were there.
    pub(crate) frozen_to: Option<i64>,
}

/// What the server said of a table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words<'a> {
    /// Its vacuum's figures.
    pub(crate) done: Option<&'a Done>,
    /// The figures of its TOAST's vacuum came too.
    pub(crate) toast: bool,
    /// Its analysis was begun, in a statement that came to its end.
    pub(crate) analyzed: bool,
    /// The warnings that name it.
    pub(crate) warnings: &'a [&'a Said],
}

impl Halves {
    /// By what was counted and by what was said.
    pub(crate) fn of(wanted: Wanted, change: Change<'_>, words: Words<'_>) -> Self {
        let Wanted { action, toast, frozen_to } = wanted;
        let mut notes = Vec::new();
        let analyzed = analyzed(change, words);
        let (vacuumed, frozen) = match action {
            Action::Analyze => (None, None),
            Action::Vacuum => (Some(vacuumed(toast, change, words, &mut notes)), None),
            Action::Freeze => (
                Some(vacuumed(toast, change, words, &mut notes)),
                Some(frozen(change, frozen_to, &mut notes)),
            ),
        };
        let moved = |count: fn(&Count) -> i64| change.moved(count).is_yes();
        let begun = words.done.is_some()
            || words.analyzed
            || moved(|count| count.vacuums)
            || moved(|count| count.toast_vacuums.unwrap_or(0))
            || moved(|count| count.analyses);
        Halves { vacuumed, analyzed, frozen, begun, notes }
    }

    /// Whether all that was wanted was done.
    pub(crate) fn all(&self) -> Truth {
        let parts = [self.vacuumed.clone(), Some(self.analyzed.clone()), self.frozen.clone()];
        parts.into_iter().flatten().fold(Truth::Yes, Truth::and)
    }

    /// Whether it is known that nothing was done.
    pub(crate) fn none(&self) -> bool {
        !self.begun && self.vacuumed.as_ref().is_none_or(Truth::is_no) && self.analyzed.is_no()
    }

    /// Whether something was done.
    pub(crate) fn some(&self) -> bool {
        self.begun
    }

    /// Whether nothing is missing but that young rows were frozen.
    pub(crate) fn only_unfrozen(&self) -> bool {
        self.frozen.as_ref().is_some_and(Truth::is_no)
            && self.analyzed.is_yes()
            && self.vacuumed.as_ref().is_none_or(Truth::is_yes)
    }

    /// The statement failed at this very table: its analysis comes last, and was taken back.
    pub(crate) fn failed(&mut self) {
        self.analyzed = Truth::No;
    }

    /// For people: what is missing, and the server's words.
    pub(crate) fn sentence(&self, words: &str) -> String {
        let part = |truth: &Truth, word: &str| match truth {
            Truth::Yes => word.to_owned(),
            Truth::No => format!("not {word}"),
            Truth::Unknown(why) => format!("perhaps not {word}: {why}"),
        };
        let parts: Vec<String> = [
            self.vacuumed.as_ref().map(|truth| part(truth, "vacuumed")),
            Some(part(&self.analyzed, "analysed")),
            self.frozen.as_ref().map(|truth| part(truth, "frozen")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut told = vec![parts.join(", ")];
        told.extend(self.notes.iter().cloned());
        told.push(words.to_owned());
        told.retain(|text| !text.is_empty());
        told.join("; ")
    }

    /// For a record.
    pub(crate) fn put(&self, data: &mut Map<String, Value>) {
        if let Some(vacuumed) = &self.vacuumed {
            vacuumed.put(data, "vacuumed");
        }
        self.analyzed.put(data, "analyzed");
        if let Some(frozen) = &self.frozen {
            frozen.put(data, "frozen");
        }
    }
}

fn vacuumed(toast: bool, change: Change<'_>, words: Words<'_>, notes: &mut Vec<String>) -> Truth {
    let own = said_or_counted(words.done.is_some(), change, words, |count| count.vacuums);
    let its_toast = if toast && change.after.is_some_and(|after| after.toast_vacuums.is_some()) {
        said_or_counted(words.toast, change, words, |count| count.toast_vacuums.unwrap_or(0))
    } else {
        Truth::Yes
    };
    if own.is_yes() && its_toast.is_no() {
        // The server does not say why (`vacuum_open_relation`).
        notes.push("the server passed its TOAST over, which another session holds".to_owned());
    }
    let indexes = words.done.and_then(|done| done.bypassed.as_ref());
    notes.extend(indexes.cloned());
    own.and(its_toast).and(Truth::from(indexes.is_none()))
}

fn analyzed(change: Change<'_>, words: Words<'_>) -> Truth {
    // Extended statistics that could not be made.
    if words.warnings.iter().any(|said| said.code == SqlState::INVALID_OBJECT_DEFINITION) {
        return Truth::No;
    }
    said_or_counted(words.analyzed, change, words, |count| count.analyses)
}

/// What moved or was said is done; what neither moved nor was said, and was passed over, is not.
fn said_or_counted(said: bool, change: Change<'_>, words: Words<'_>, count: impl Fn(&Count) -> i64) -> Truth {
    match change.moved(count) {
        Truth::Unknown(_) if words.warnings.iter().any(|said| passes_over(said)) => Truth::No,
        Truth::Unknown(_) if said => Truth::Yes,
        counted => counted,
    }
}

fn passes_over(said: &Said) -> bool {
    [SqlState::LOCK_NOT_AVAILABLE, SqlState::UNDEFINED_TABLE].contains(&said.code)
        || said.message.contains("skipping")
}

/// A transaction id is 32 bits of a number that goes round; of two, the one that is less than half a round ahead is the later.
fn frozen(change: Change<'_>, to: Option<i64>, notes: &mut Vec<String>) -> Truth {
    let (Some(before), Some(after)) = (change.before, change.after) else {
        return Truth::unknown("the catalog could not be read");
    };
    let to = to.unwrap_or(before.next);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "modulo 2^32 is meant")]
    let reaches = |frozen: i64| {
        let ahead = (frozen as u32).wrapping_sub(to as u32);
        frozen == 0 || ahead <= u32::MAX / 2
    };
    let left = [Some(after.frozen), after.toast_frozen].into_iter().flatten().find(|id| !reaches(*id));
    notes.extend(left.map(|id| {
        format!(
            "rows of transaction {id} and later are not frozen, since somebody still needs them as they are"
        )
    }));
    left.is_none().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(vacuums: i64, analyses: i64) -> Count {
        Count { vacuums, analyses, toast_vacuums: Some(vacuums), frozen: 3, ..Count::default() }
    }

    fn said(code: SqlState, message: &str) -> Said {
        Said { warning: true, code, message: message.into(), detail: String::new() }
    }

    fn halves(after: Count, late: Option<&str>, words: Words<'_>) -> Halves {
        let before = count(1, 1);
        let wanted = Wanted { action: Action::Vacuum, toast: true, frozen_to: None };
        Halves::of(wanted, Change { before: Some(&before), after: Some(&after), late }, words)
    }

    #[test]
    fn each_half_is_done_by_its_own_count() {
        let none = Words::default();
        assert!(halves(count(2, 2), None, none).all().is_yes());
        let half = halves(count(2, 1), None, none);
        assert_eq!((half.vacuumed, half.analyzed), (Some(Truth::Yes), Truth::No));
        assert!(halves(count(1, 1), None, none).none());
        let toast = halves(Count { toast_vacuums: Some(1), ..count(2, 2) }, None, none);
        assert!(toast.vacuumed.as_ref().is_some_and(Truth::is_no));
        assert!(toast.sentence("").contains("TOAST"), "{toast:?}");
    }

    #[test]
    fn where_counts_come_late_words_tell_and_without_words_nobody_knows() {
        let done = Done::default();
        let words = Words { done: Some(&done), toast: true, analyzed: true, warnings: &[] };
        assert!(halves(count(1, 1), Some("late"), words).all().is_yes());
        let unknown = halves(count(1, 1), Some("late"), Words { analyzed: false, ..words });
        assert_eq!((unknown.all(), unknown.some()), (Truth::unknown("late"), true));
        let locked = said(SqlState::LOCK_NOT_AVAILABLE, "überspringe Analyze von »t«");
        let skipped = halves(count(1, 1), Some("late"), Words { warnings: &[&locked], ..Words::default() });
        assert!(skipped.none(), "passed over in any language");
        // What is counted decides; where words say something else, nobody says that nothing was done.
        let contrary = halves(count(1, 1), None, words);
        assert!(contrary.all().is_no() && contrary.some(), "{contrary:?}");
    }

    #[test]
    fn indexes_that_were_left_and_statistics_that_could_not_be_made_are_missing() {
        let done = Done { bypassed: Some("index scan bypassed".into()), ..Done::default() };
        let left = halves(count(2, 2), None, Words { done: Some(&done), ..Words::default() });
        assert!(left.all().is_no() && left.sentence("").contains("bypassed"), "{left:?}");
        let object =
            said(SqlState::INVALID_OBJECT_DEFINITION, "statistics object \"s.x\" could not be computed");
        let without = halves(count(2, 2), None, Words { warnings: &[&object], ..Words::default() });
        assert!(without.analyzed.is_no() && without.vacuumed.is_some_and(|truth| truth.is_yes()));
    }

    #[test]
    fn a_table_is_frozen_where_its_oldest_row_is_as_young_as_the_oldest_transaction_was_also_past_the_turn() {
        let frozen = |next: i64, own: i64, toast: Option<i64>| {
            let before = Count { next, ..count(1, 1) };
            let after = Count { frozen: own, toast_frozen: toast, ..count(2, 2) };
            let change = Change { before: Some(&before), after: Some(&after), late: None };
            let wanted = Wanted { action: Action::Freeze, toast: true, frozen_to: None };
            let later = Count { next: next + 9, ..before };
            let again = Wanted { frozen_to: Some(next), ..wanted };
            let again = Halves::of(again, Change { before: Some(&later), ..change }, Words::default());
            let first = Halves::of(wanted, change, Words::default());
            assert_eq!(again.frozen, first.frozen, "it is to reach what it was to reach at first");
            first.frozen.unwrap()
        };
        assert_eq!(frozen(1000, 1000, Some(1001)), Truth::Yes);
        assert_eq!(frozen(1000, 999, None), Truth::No);
        assert_eq!(frozen(1000, 1000, Some(999)), Truth::No);
        assert_eq!(frozen((1 << 32) + 5, 7, None), Truth::Yes);
        assert_eq!(frozen((1 << 32) + 5, (1 << 32) - 7, None), Truth::No);
        assert_eq!(frozen(1000, 0, None), Truth::Yes, "no rows of its own");
    }

    #[test]
    fn what_is_missing_is_said_with_the_server_s_words() {
        let half = halves(count(2, 1), None, Words::default());
        assert_eq!(half.sentence("division by zero"), "vacuumed, not analysed; division by zero");
    }
}
