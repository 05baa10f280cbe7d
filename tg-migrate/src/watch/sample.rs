//! One look at the migrator's sessions and at those that wait behind them.

use postgres::Statement;
use tg_core::database::Client;

use crate::error::MigrateError;

const SESSIONS: &str = include_str!("../sql/sessions.sql");
const WAITERS: &str = include_str!("../sql/waiters.sql");

/// Prepared once: a look is taken many times a second.
pub(super) struct Sampler {
    sessions: Statement,
    waiters: Statement,
}

/// A session of the migrator.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Session {
    pub pid: i32,
    pub application: String,
    pub state: String,
    pub query: String,
    /// The transaction that it writes in.
    pub xid: Option<i64>,
    pub locks: Vec<Lock>,
    /// Whether it waits for a lock that others queue up behind.
    pub waits: bool,
}

/// A lock on a table or an index, held or wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lock {
    pub relation: i64,
    pub mode: String,
    pub granted: bool,
}

/// Somebody who waits behind the migrator.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Victim {
    pub pid: i32,
    pub application: String,
    pub query: String,
    pub relation: Option<i64>,
    pub mode: String,
    /// Since it has waited, where the server knows it.
    pub waited_ms: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub sessions: Vec<Session>,
    pub victims: Vec<Victim>,
}

impl Sampler {
    pub(super) fn new(client: &mut Client) -> Result<Self, MigrateError> {
        Ok(Sampler { sessions: client.prepare(SESSIONS)?, waiters: client.prepare(WAITERS)? })
    }

    pub(super) fn look(
        &self,
        client: &mut Client,
        application: &str,
        addresses: &[String],
    ) -> Result<Sample, MigrateError> {
        let rows = client.query(&self.sessions, &[&application, &addresses])?;
        let sessions: Vec<Session> = rows.iter().map(session).collect();
        let pids: Vec<i32> = sessions.iter().map(|s| s.pid).collect();
        let victims = if rows.iter().any(|row| row.get(9)) {
            client.query(&self.waiters, &[&pids])?.iter().map(victim).collect()
        } else {
            Vec::new()
        };
        Ok(Sample { sessions, victims })
    }
}

fn session(row: &postgres::Row) -> Session {
    let text = |i: usize| row.get::<_, Option<String>>(i).unwrap_or_default();
    let locks = row.get::<_, Option<Vec<String>>>(7).unwrap_or_default();
    Session {
        pid: row.get(0),
        application: text(1),
        state: text(2),
        query: text(5),
        xid: row.get(6),
        locks: locks.iter().filter_map(|lock| parse(lock)).collect(),
        waits: row.get(8),
    }
}

/// `16403 t AccessExclusiveLock`.
fn parse(lock: &str) -> Option<Lock> {
    let mut words = lock.splitn(3, ' ');
    let (relation, granted, mode) = (words.next()?.parse().ok()?, words.next()? == "t", words.next()?);
    Some(Lock { relation, granted, mode: mode.trim_end_matches("Lock").to_owned() })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds, not negative")]
fn victim(row: &postgres::Row) -> Victim {
    let text = |i: usize| row.get::<_, Option<String>>(i).unwrap_or_default();
    Victim {
        pid: row.get(0),
        application: text(1),
        query: text(2),
        relation: row.get(3),
        mode: text(4).trim_end_matches("Lock").to_owned(),
        waited_ms: row.get::<_, Option<f64>>(5).map(|ms| ms.max(0.0) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_from_its_words() {
        let lock = parse("16403 f AccessExclusiveLock").unwrap();
        assert_eq!(lock, Lock { relation: 16403, mode: "AccessExclusive".into(), granted: false });
        assert_eq!(parse("16403 t"), None);
    }
}
