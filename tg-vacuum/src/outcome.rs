//! How the maintenance of one table ended.

use postgres::error::SqlState;

use crate::board::Why;
use crate::halves::Halves;
use crate::verbose::Done;

/// The end of one table's part of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// All that was wanted, and what was said of it; nothing where it was only analysed, or where the server's language is not ours.
    Done(Option<Done>),
    /// A part of what was wanted, or nobody can tell; what is missing.
    Partial(Option<Done>, String),
    /// Passed over, and nothing is broken: it is locked, gone or not ours.
    Skipped(String),
    /// Cancelled; it goes on from its beginning another time.
    Cut(Why),
    /// The server could not do it.
    Failed(String),
}

/// What one table's part of a statement without an error was. A table that is passed over is a success with a warning.
pub(crate) fn of_success(halves: &Halves, done: Option<Done>, warnings: &str) -> Outcome {
    if halves.all().is_yes() {
        return Outcome::Done(done);
    }
    if halves.none() {
        let passed_over = if warnings.is_empty() { "the server passed it over" } else { warnings };
        return Outcome::Skipped(passed_over.to_owned());
    }
    Outcome::Partial(done, halves.sentence(warnings))
}

/// What one table's statement was that ended with an error.
pub(crate) fn of_error(
    halves: &Halves,
    done: Option<Done>,
    error: &tg_core::database::QueryError,
) -> Outcome {
    let text = error.to_string();
    let passed_over = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::UNDEFINED_TABLE,
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    if halves.some() {
        Outcome::Partial(done, halves.sentence(&text))
    } else if error.code().is_some_and(|code| passed_over.contains(code)) {
        Outcome::Skipped(text)
    } else {
        Outcome::Failed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::{Change, Count};
    use crate::halves::{Wanted, Words};
    use crate::statement::Action;

    fn of(vacuums: i64, analyses: i64, late: Option<&str>, warnings: &str) -> Outcome {
        let (before, after) = (Count::default(), Count { vacuums, analyses, ..Count::default() });
        let wanted = Wanted { action: Action::Vacuum, toast: false, frozen_to: None };
        let change = Change { before: Some(&before), after: Some(&after), late };
        let halves = Halves::of(wanted, change, Words::default());
        of_success(&halves, None, warnings)
    }

    #[test]
    fn only_what_is_known_to_be_done_as_a_whole_is_done() {
        assert_eq!(of(1, 1, None, ""), Outcome::Done(None));
        let half = of(1, 0, None, "skipping analyze of \"t\" --- lock not available");
        let Outcome::Partial(_, missing) = half else { panic!("{half:?}") };
        assert_eq!(missing, "vacuumed, not analysed; skipping analyze of \"t\" --- lock not available");
        assert!(matches!(of(0, 0, Some("late"), ""), Outcome::Partial(..)), "nobody knows");
        let skipped = |text: &str| Outcome::Skipped(text.to_owned());
        assert_eq!(of(0, 0, None, "überspringe Vacuum"), skipped("überspringe Vacuum"));
        assert_eq!(of(0, 0, None, ""), skipped("the server passed it over"));
    }
}
