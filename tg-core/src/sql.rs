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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_quotes() {
        assert_eq!(ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b\\"), "E'a''b\\\\'");
    }
}
