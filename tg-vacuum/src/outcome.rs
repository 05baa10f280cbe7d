//! How the maintenance of one table ended.

use postgres::error::SqlState;

use crate::board::Why;
use crate::verbose::Done;

/// The end of one table's part of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// What was said of it; nothing where it was only analysed, or where the server's language is not ours.
    Done(Option<Done>),
    /// Passed over, and nothing is broken: it is locked, gone or not ours.
    Skipped(String),
    /// Cancelled; it goes on from its beginning another time.
    Cut(Why),
    /// The server could not do it.
    Failed(String),
}

/// What one table's part of a statement without an error was. A table that is passed over is a success with a
/// warning; the wording depends on the server's language, so where the statistics tell whether
/// anything was done (`counted`), they decide.
pub(crate) fn of_success(done: Option<Done>, warnings: &[String], counted: Option<bool>) -> Outcome {
    let passed_over = counted == Some(false) || warnings.iter().any(|w| w.contains("skipping"));
    if done.is_none() && passed_over {
        let why = if warnings.is_empty() { "the server passed it over".into() } else { warnings.join("; ") };
        return Outcome::Skipped(why);
    }
    Outcome::Done(done)
}

/// What one table's statement was that ended with an error.
pub(crate) fn of_error(error: &tg_core::database::QueryError) -> Outcome {
    let text = error.to_string();
    let passed_over = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::UNDEFINED_TABLE,
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    if error.code().is_some_and(|code| passed_over.contains(code)) {
        Outcome::Skipped(text)
    } else {
        Outcome::Failed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_the_server_passed_over_counts_as_skipped_in_any_language() {
        let of = |warning: &str, counted| of_success(None, &[warning.to_owned()], counted);
        let skipped = |text: &str| Outcome::Skipped(text.to_owned());
        let denied = "permission denied to vacuum \"t\", skipping it";
        assert_eq!(of(denied, None), skipped(denied));
        assert_eq!(of("überspringe Vacuum", Some(false)), skipped("überspringe Vacuum"));
        let old = "cutoff for removing and freezing tuples is far in the past";
        assert_eq!(of(old, Some(true)), Outcome::Done(None));
        let done = Some(Done::default());
        assert_eq!(of_success(done.clone(), &[denied.to_owned()], None), Outcome::Done(done));
        assert_eq!(of_success(None, &[], Some(false)), skipped("the server passed it over"));
    }
}
