//! Who else is in a database, and how they leave.

use std::time::{Duration, Instant};

use serde::Serialize;
use tg_core::database::ident;

use crate::cluster::Cluster;
use crate::error::Error;

const SESSIONS: &str = include_str!("sql/sessions.sql");
const HOLDERS: &str = include_str!("sql/holders.sql");
const TERMINATE: &str = "SELECT pg_catalog.pg_terminate_backend($1)";
/// Makers of rollback points whose tool was killed: the server goes on until the copy is complete.
const MAKERS: &str = "SELECT pid FROM pg_catalog.pg_stat_activity WHERE application_name = $1 \
    AND pid <> pg_catalog.pg_backend_pid() AND state = 'active' AND pg_catalog.starts_with(query, 'CREATE DATABASE') \
    AND pg_catalog.strpos(query, $2) > 0";
/// How long a terminated backend may take to go.
const LEAVE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// What the question for sessions calls a prepared transaction.
const PREPARED: &str = "prepared transaction";

/// Another session in a database.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Session {
    /// Nothing for a prepared transaction, which has no process.
    pub pid: Option<i32>,
    pub application: String,
    pub user: String,
    pub kind: String,
}

impl Session {
    /// For messages.
    pub(crate) fn describe(&self) -> String {
        let Some(pid) = self.pid else {
            return format!("{} {} of {}", self.kind, self.application, self.user);
        };
        let application = if self.application.is_empty() { &self.kind } else { &self.application };
        format!("pid {pid} ({application}, user {})", self.user)
    }
}

impl Cluster {
    /// The sessions in a database, but for one of ours.
    pub(crate) fn sessions(&mut self, database: &str, but: Option<i32>) -> Result<Vec<Session>, Error> {
        let sessions = self.listed(SESSIONS, database)?;
        Ok(sessions.into_iter().filter(|s| but.is_none() || s.pid != but).collect())
    }

    /// The sessions that keep tables of a database from being read.
    pub(crate) fn holders(&mut self, database: &str) -> Result<Vec<Session>, Error> {
        self.listed(HOLDERS, database)
    }

    fn listed(&mut self, question: &str, database: &str) -> Result<Vec<Session>, Error> {
        let rows = self.client.query(question, &[&database])?;
        let read = |r: &postgres::Row| Session {
            pid: r.get(0),
            application: r.get(1),
            user: r.get(2),
            kind: r.get(3),
        };
        Ok(rows.iter().map(read).collect())
    }

    /// Refuses a database that has prepared transactions: nobody but their owner can end them.
    pub(crate) fn refuse_prepared(&mut self, database: &str) -> Result<(), Error> {
        let mut sessions = self.sessions(database, None)?;
        sessions.retain(|s| s.kind == PREPARED);
        if sessions.is_empty() { Ok(()) } else { Err(Error::InUse { database: database.into(), sessions }) }
    }

    /// Ends the sessions in a database, but for one of ours, and waits until they are gone.
    pub(crate) fn empty(&mut self, database: &str, but: Option<i32>) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            let sessions = self.sessions(database, but)?;
            if sessions.is_empty() {
                return Ok(());
            }
            if begun.elapsed() > LEAVE {
                return Err(Error::InUse { database: database.into(), sessions });
            }
            for session in &sessions {
                self.client.query(TERMINATE, &[&session.pid])?;
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until the sessions of a database have left by themselves; the answer is who stayed.
    pub(crate) fn await_empty(&mut self, database: &str, limit: Duration) -> Result<Vec<Session>, Error> {
        let begun = Instant::now();
        loop {
            let mut sessions = self.sessions(database, None)?;
            // CREATE and ALTER DATABASE send autovacuum away by themselves.
            sessions.retain(|s| s.kind != "autovacuum worker");
            if sessions.is_empty() || begun.elapsed() > limit {
                return Ok(sessions);
            }
            std::thread::sleep(POLL * 25);
        }
    }

    /// Ends what a killed tool left working in the server; only the lock's holder may.
    pub(crate) fn end_makers(&mut self, of: &str) -> Result<(), Error> {
        let (begun, template) = (Instant::now(), format!(" TEMPLATE {} ", ident(of)));
        while begun.elapsed() < LEAVE {
            let makers = self.client.query(MAKERS, &[&crate::TOOL, &template])?;
            if makers.is_empty() {
                break;
            }
            for maker in &makers {
                self.client.query(TERMINATE, &[&maker.get::<_, i32>(0)])?;
            }
            std::thread::sleep(POLL * 25);
        }
        Ok(())
    }
}
