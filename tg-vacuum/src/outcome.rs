//! How the maintenance of one table ended.

use postgres::error::SqlState;
use tg_core::database::describe;

/// The end of one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Passed over, and nothing is broken: it is locked, gone or not ours.
    Skipped(String),
    /// The server could not do it.
    Failed(String),
}

impl Outcome {
    /// From the server's answer and its warnings. A table that is passed over is a success with a
    /// warning; the wording depends on the server's language, so where the statistics tell whether
    /// anything was done (`counted`), they decide.
    pub(crate) fn of(
        answer: Result<(), &postgres::Error>,
        warnings: &[String],
        counted: Option<bool>,
    ) -> Self {
        match answer {
            Err(error) => Self::of_error(error),
            Ok(()) if warnings.is_empty() => Outcome::Done,
            Ok(()) if counted == Some(false) || warnings.iter().any(|w| w.contains("skipping")) => {
                Outcome::Skipped(warnings.join("; "))
            }
            Ok(()) => Outcome::Done,
        }
    }

    fn of_error(error: &postgres::Error) -> Self {
        let text = describe(error);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_the_server_passed_over_counts_as_skipped_in_any_language() {
        let of = |warning: &str, counted| Outcome::of(Ok(()), &[warning.to_owned()], counted);
        let skipped = |text: &str| Outcome::Skipped(text.to_owned());
        assert_eq!(
            of("permission denied to vacuum \"t\", skipping it", None),
            skipped("permission denied to vacuum \"t\", skipping it")
        );
        assert_eq!(of("überspringe Vacuum", Some(false)), skipped("überspringe Vacuum"));
        assert_eq!(
            of("cutoff for removing and freezing tuples is far in the past", Some(true)),
            Outcome::Done
        );
    }
}
