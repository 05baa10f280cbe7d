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

/// The line of pg_hba.conf that lets a role into every database, also one that is restored beside the live one.
#[must_use]
pub fn hba_line(user: &str, address: Option<&str>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let user = if user.chars().all(plain) { user.to_owned() } else { ident(user) };
    match address {
        Some(address) => {
            let bits = if address.contains(':') { 128 } else { 32 };
            format!("host all {user} {address}/{bits} scram-sha-256")
        }
        None => format!("local all {user} scram-sha-256"),
    }
}

/// What a server says that has no line for a connection: `… for host "10.0.0.7", user "u", database "d", …`.
fn refused_by_hba(problem: &str) -> Option<String> {
    let rest = problem.split_once("pg_hba.conf")?.1;
    let quoted = |name: &str| Some(rest.split_once(name)?.1.split_once('"')?.0);
    let (user, address) = (quoted("user \"")?, quoted("host \""));
    let line = hba_line(user, address.filter(|address| *address != "[local]"));
    Some(format!("put this line into pg_hba.conf of the server and reload it: {line}"))
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
    let listed = known.iter().find(|(word, _)| problem.contains(word)).map(|(_, hint)| (*hint).to_owned());
    listed.or_else(|| refused_by_hba(problem))
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
    fn a_line_that_pg_hba_conf_lacks_is_said() {
        let said = "no pg_hba.conf entry for host \"10.0.0.7\", user \"we\"ird\", database \"d\", no encryption [28000]";
        assert!(cure(said).unwrap().ends_with(": host all we 10.0.0.7/32 scram-sha-256"));
        let said = "pg_hba.conf rejects connection for host \"[local]\", user \"u v\", database \"d\"";
        assert!(cure(said).unwrap().ends_with(": local all \"u v\" scram-sha-256"));
        assert!(hba_line("u", Some("fe80::1")).contains("fe80::1/128"));
    }

    #[test]
    fn a_name_can_not_become_a_connection_string() {
        assert_eq!(conninfo("host=evil"), "dbname='host=evil'");
        assert_eq!(conninfo("a'b\\"), "dbname='a\\'b\\\\'");
    }
}
