//! As much room as the live server had for connections, locks and transactions.
//!
//! Recovery refuses to let readers in with less, and what a server was given on its command line stands in no file of its
//! configuration: <https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN>. It stands in its control file.

use tg_core::throwaway::Throwaway;

use super::prove::condemned;
use crate::error::Error;

/// What `pg_controldata` calls it, and what the server does.
const SETTINGS: [(&str, &str); 5] = [
    ("max_connections", "max_connections"),
    ("max_worker_processes", "max_worker_processes"),
    ("max_wal_senders", "max_wal_senders"),
    ("max_prepared_xacts", "max_prepared_transactions"),
    ("max_locks_per_xact", "max_locks_per_transaction"),
];

/// Options for a server that is started on the copy in `data`.
pub(super) fn options(server: &Throwaway, data: &str) -> Result<String, Error> {
    match server.exec(server.user(), &["env", "LC_ALL=C", "pg_controldata", data])? {
        (0, text) => Ok(parse(&text)),
        (code, text) => Err(condemned("pg_control", code, &text)),
    }
}

fn parse(text: &str) -> String {
    let option = |line: &str| {
        let (name, value) = line.split_once(" setting:")?;
        let (_, setting) = SETTINGS.iter().find(|(known, _)| *known == name)?;
        Some(format!(" -c {setting}={}", value.trim()))
    };
    text.lines().filter_map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_control_file_says_is_what_the_server_is_given() {
        let text = "wal_level setting:                    replica\n\
            max_connections setting:              100\n\
            max_worker_processes setting:         8\n\
            max_wal_senders setting:              10\n\
            max_prepared_xacts setting:           0\n\
            max_locks_per_xact setting:           64\n\
            track_commit_timestamp setting:       off\n";
        let given = " -c max_connections=100 -c max_worker_processes=8 -c max_wal_senders=10 \
            -c max_prepared_transactions=0 -c max_locks_per_transaction=64";
        assert_eq!(parse(text), given);
    }
}
