//! Connections to the project's database, and their manners.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use postgres::types::ToSql;
use postgres::{Row, Statement};
use serde_json::json;
use tg_core::Session;
use tg_core::container::Container;
use tg_core::database::Client;
use tg_core::database::{DatabaseFlags, Target};
use tg_core::engine::Engine;
use tg_core::project::Project;

use crate::error::Error;
use crate::notice::Notices;
use crate::server::Server;

/// `--gentle`: sleeps so long…
const GENTLE_DELAY: &str = "10ms";
/// …each time that it has done so much: ten pages that it changes, or two hundred that it finds in memory.
const GENTLE_LIMIT: &str = "200";

/// So long a session that was ended may hold its table.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often it is looked for.
const POLL: Duration = Duration::from_millis(20);

/// How much of the server a run may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Throttle {
    /// What the server's settings say.
    #[default]
    Server,
    /// Sleeps most of the time.
    Gentle,
    /// All that helps.
    Fast,
}

impl Throttle {
    /// For a line of output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Throttle::Server => "server",
            Throttle::Gentle => "gentle",
            Throttle::Fast => "fast",
        }
    }

    /// `vacuum_cost_delay`, `vacuum_cost_limit` and `vacuum_buffer_usage_limit`; none where the server's hold.
    fn settings(self) -> [Option<&'static str>; 3] {
        match self {
            Throttle::Server => [None; 3],
            Throttle::Gentle => [Some(GENTLE_DELAY), Some(GENTLE_LIMIT), None],
            Throttle::Fast => [Some("0"), None, Some("0")],
        }
    }
}

/// Where the database is, and how one speaks with it.
pub(crate) struct Access {
    target: Target,
    pub(crate) server: Server,
    /// `host:port/name`.
    pub(crate) place: String,
    /// The database's name.
    pub(crate) name: String,
    lock_timeout: Duration,
    tool: &'static str,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) notices: Notices,
    /// The server's process.
    pub(crate) pid: i32,
    /// What was asked before.
    prepared: HashMap<&'static str, Statement>,
    /// Whether commits do not wait for the disk.
    lazy: bool,
}

impl Access {
    /// Finds the project's database, connects to it, and asks what kind of server it is.
    pub(crate) fn find(
        session: &Session,
        project: &Project,
        flags: &DatabaseFlags,
        lock_timeout: Duration,
    ) -> Result<(Self, Connection), Error> {
        let engine = Engine::connect(&session.bounds())?;
        let target = Target::find(session, project, &engine, flags)?;
        let (place, name) = (target.place(), target.name.clone());
        let server = Server { number: 0, standby: false, counts: true };
        let mut access = Access { target, server, place, name, lock_timeout, tool: session.tool };
        let mut connection = access.connect()?;
        access.server = Server::ask(&mut connection.client)?;
        if access.server.major() < Server::OLDEST {
            return Err(Error::TooOld { version: access.server.major(), oldest: Server::OLDEST });
        }
        Ok((access, connection))
    }

    /// One more connection. No statement of it waits longer for a lock than it may; names mean what their
    /// qualification says; the server speaks English where it lets us choose.
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        let notices = Notices::default();
        let mut client = self.target.connect_heard(self.tool, None, || notices.ear())?;
        let lock = milliseconds(self.lock_timeout);
        let row =
            client.query_one(include_str!("sql/session.sql"), &[&lock]).map_err(tg_core::Error::from)?;
        let pid = row.try_get("pid").map_err(tg_core::Error::from)?;
        // For superusers; others read what they can.
        let _ = client.batch_execute("SET lc_messages = 'C'");
        // What is counted tells what was done; for superusers, who may have switched it off for the database.
        let _ = client.batch_execute("SET track_counts = on");
        // From 14 on: the server ends what we began soon after we were killed.
        let _ = client.batch_execute("SET client_connection_check_interval = '500ms'");
        Ok(Connection { client, notices, pid, prepared: HashMap::new(), lazy: false })
    }
}

impl Access {
    /// The role.
    pub(crate) fn user(&self) -> &str {
        &self.target.user
    }

    /// The server's container, where it is a service of the project.
    pub(crate) fn container(&self) -> Option<&Container> {
        self.target.container.as_ref()
    }
}

impl Connection {
    /// How much of the server the statements of this connection may take.
    pub(crate) fn throttle(&mut self, throttle: Throttle, server: Server) -> Result<(), tg_core::Error> {
        let names = ["vacuum_cost_delay", "vacuum_cost_limit", "vacuum_buffer_usage_limit"];
        for (name, value) in names.into_iter().zip(throttle.settings()) {
            let Some(value) = value else { continue };
            if name != "vacuum_buffer_usage_limit" || server.limits_buffers() {
                self.client.query_one("SELECT pg_catalog.set_config($1, $2, false)", &[&name, &value])?;
            }
        }
        if server.counts_time() {
            // So that it can be told how much of the time was slept; for superusers.
            let _ = self.client.batch_execute("SET track_cost_delay_timing = on");
        }
        Ok(())
    }

    /// Asks what is asked many times, and so is prepared once.
    pub(crate) fn ask(
        &mut self,
        query: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tg_core::database::QueryError> {
        let statement = match self.prepared.get(query) {
            Some(statement) => statement,
            None => self.prepared.entry(query).or_insert(self.client.prepare(query)?),
        };
        self.client.query(statement, values)
    }

    /// Whether commits of this connection do not wait for the disk, which thousands of small tables would do one by one; else they
    /// are as the server has them. What a crash may take back, the last moment's statistics, is nobody's data; what is written
    /// still is in its order.
    pub(crate) fn commit_lazily(&mut self, lazy: bool) -> Result<(), tg_core::database::QueryError> {
        if lazy != self.lazy {
            let set = if lazy { "SET synchronous_commit = off" } else { "RESET synchronous_commit" };
            self.client.batch_execute(set)?;
            self.lazy = lazy;
        }
        Ok(())
    }

    /// Waits until everything that was committed lazily is on disk: by a commit that waits, which only one that has written
    /// does (`RecordTransactionCommit` in `xact.c`). It writes what every role may, and what neither the schema nor an event
    /// trigger nor a subscriber sees: a large object that is gone again.
    pub(crate) fn settle(&mut self) -> Result<(), tg_core::database::QueryError> {
        self.client.batch_execute("SELECT pg_catalog.lo_unlink(pg_catalog.lo_create(0))")
    }

    /// Ends what a killed run of this tool left at work, says so, and waits until it is gone: it would hold its table against us.
    pub(crate) fn end_orphans(&mut self, session: &Session) -> Result<(), tg_core::Error> {
        let query = include_str!("sql/orphans.sql");
        let (found, begun) = (self.client.execute(query, &[])?, Instant::now());
        if found == 0 {
            return Ok(());
        }
        let msg = format!("sessions that a killed run left at work were ended: {found}");
        session.emit.warning("orphaned", &msg, json!({"sessions": found}))?;
        while begun.elapsed() < FAREWELL && self.client.execute(query, &[])? > 0 {
            session.check("waiting for what a killed run left at work")?;
            session.deadline.sleep(POLL);
        }
        Ok(())
    }

    /// No statement runs longer than this; `None`: as long as it takes.
    pub(crate) fn limit(&mut self, time: Option<Duration>) -> Result<(), tg_core::database::QueryError> {
        // 0 is no limit at all.
        let time = time.map_or_else(|| "0".into(), |time| milliseconds(time.max(Duration::from_millis(1))));
        self.client.batch_execute(&format!("SET statement_timeout = '{time}'"))
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}
