//! Why a migrator failed, as far as its lines say: a stack trace buries the sentence that matters.

/// The line that says most, of those heard so far.
#[derive(Debug, Default)]
pub(crate) struct Reason {
    error: Option<String>,
    last: Option<String>,
    /// It was not let in with the options of its sessions.
    pub(crate) options_refused: bool,
}

/// What a connection pooler says to a client whose startup message has options (08P01): pgbouncer, and before its 1.20.
const OPTIONS_REFUSED: [&str; 2] =
    ["unsupported startup parameter in options", "unsupported startup parameter: options"];

impl Reason {
    pub(crate) fn hear(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        let lower = line.to_lowercase();
        self.options_refused |= OPTIONS_REFUSED.iter().any(|words| lower.contains(words));
        if self.error.is_none()
            && ["error", "fatal", "exception", "failed"].iter().any(|word| lower.contains(word))
        {
            self.error = Some(line.to_owned());
        }
        self.last = Some(line.to_owned());
    }

    /// The first line that names an error, else the last line at all.
    pub(crate) fn tell(self) -> String {
        self.error.or(self.last).unwrap_or_else(|| "it said nothing".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> String {
        let mut reason = Reason::default();
        for line in lines {
            reason.hear(line);
        }
        reason.tell()
    }

    #[test]
    fn a_pooler_that_takes_no_options_is_heard_in_any_line_and_nothing_else_is() {
        let refused = |lines: &[&str]| {
            let mut reason = Reason::default();
            for line in lines {
                reason.hear(line);
            }
            reason.options_refused
        };
        assert!(refused(&[
            "migration failed",
            "error: unsupported startup parameter in options: lock_timeout"
        ]));
        assert!(refused(&["psql: error: FATAL:  Unsupported startup parameter: options", "retrying"]));
        assert!(!refused(&[
            "unsupported startup parameter: search_path",
            "FATAL: no options",
            "lock timeout"
        ]));
    }

    #[test]
    fn the_line_that_names_the_error_is_the_reason_and_not_its_stack() {
        assert_eq!(of(&["applied 1", "Error: column x", "  at a.js:1", ""]), "Error: column x");
        assert_eq!(of(&["one", "two"]), "two");
        assert_eq!(of(&[]), "it said nothing");
    }
}
