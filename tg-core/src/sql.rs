//! SQL's own words: errors and quoting.

use crate::Error;

impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Self {
        Error::Sql(describe(&error))
    }
}

/// The server's own words with SQLSTATE, detail and hint, or the transport's.
#[must_use]
pub fn describe(error: &postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let more = [db.detail(), db.hint()].into_iter().flatten().map(|m| format!(" ({m})"));
        return format!("{} [{}]{}", db.message(), db.code().code(), more.collect::<String>());
    }
    let mut text = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        text = format!("{text}: {cause}");
    }
    text
}

/// Quotes an identifier as `quote_ident` does.
#[must_use]
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a string as `quote_literal` does.
#[must_use]
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A database's name as a connection string: a bare name with = or :// in it would be taken for one.
#[must_use]
pub fn conninfo(name: &str) -> String {
    format!("dbname='{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// When somebody else holds a table.
pub const WAIT_LONGER: &str = "end what holds the tables, or wait longer with --lock-wait";

/// The cure for what a server or its clients say, where it is known.
#[must_use]
pub fn cure(problem: &str) -> Option<String> {
    let known = [
        ("No space left", "free disk space, then run the same command again"),
        ("lock timeout", WAIT_LONGER),
        ("max_locks_per_transaction", "raise max_locks_per_transaction and restart the server"),
        ("permission denied", "connect as the owner of the database or as a superuser"),
        ("row-level security", "connect as a role with BYPASSRLS or as a superuser"),
    ];
    known.iter().find(|(word, _)| problem.contains(word)).map(|(_, hint)| (*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_quotes() {
        assert_eq!(ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b\\"), "E'a''b\\\\'");
    }

    #[test]
    fn a_name_can_not_become_a_connection_string() {
        assert_eq!(conninfo("host=evil"), "dbname='host=evil'");
        assert_eq!(conninfo("a'b\\"), "dbname='a\\'b\\\\'");
    }
}
