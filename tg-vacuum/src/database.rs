//! The connection and its manners.

use std::time::Duration;

use postgres::Client;
use tg_core::Session;
use tg_core::database::{DatabaseFlags, Target};
use tg_core::engine::Engine;
use tg_core::project::Project;

use crate::error::Error;
use crate::notice::Notices;

/// `SKIP_LOCKED` and `TRUNCATE` came with it.
const OLDEST: i32 = 12;
/// From here on vacuum and analyze write their statistics before they end.
const STATISTICS_AT_ONCE: i32 = 15;
/// From here on the database's own horizon need not be computed once a table.
const SKIPS_DATABASE_STATS: i32 = 16;
/// From here on a parent's children are only left out when asked to.
const KNOWS_ONLY: i32 = 18;

/// What kind of server answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    /// Major version.
    pub(crate) version: i32,
    /// In recovery: nothing can be written.
    pub(crate) standby: bool,
}

impl Server {
    /// Whether statistics read right after a vacuum are those of that vacuum.
    pub(crate) fn statistics_at_once(self) -> bool {
        self.version >= STATISTICS_AT_ONCE
    }

    /// Whether `SKIP_DATABASE_STATS` is understood.
    pub(crate) fn skips_database_stats(self) -> bool {
        self.version >= SKIPS_DATABASE_STATS
    }

    /// Whether `ONLY` is understood.
    pub(crate) fn knows_only(self) -> bool {
        self.version >= KNOWS_ONLY
    }
}

/// A connection to the project's database.
pub(crate) struct Database {
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) notices: Notices,
    /// `host:port/name`.
    pub(crate) place: String,
    lock_timeout: Duration,
}

impl Database {
    /// Finds the project's database and connects to it.
    pub(crate) fn open(
        session: &Session,
        project: &Project,
        flags: &DatabaseFlags,
        lock_timeout: Duration,
    ) -> Result<Self, Error> {
        let engine = Engine::connect()?;
        let target = Target::find(session, project, &engine, flags)?;
        let notices = Notices::default();
        let mut client = target.connect_with(session.tool, None, |config| notices.hear(config))?;
        let row = client.query_one(include_str!("sql/server.sql"), &[]).map_err(tg_core::Error::from)?;
        let version: i32 = row.try_get("version").map_err(tg_core::Error::from)?;
        let standby = row.try_get("standby").map_err(tg_core::Error::from)?;
        let server = Server { version: version / 10_000, standby };
        if server.version < OLDEST {
            return Err(Error::TooOld { version: server.version, oldest: OLDEST });
        }
        let mut database = Database { client, server, notices, place: target.place(), lock_timeout };
        database.limit(session)?;
        Ok(database)
    }

    /// No statement waits longer for a lock than it may, or runs beyond the deadline.
    pub(crate) fn limit(&mut self, session: &Session) -> Result<(), tg_core::Error> {
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
        // 0 is no limit at all; the deadline itself is checked before each statement.
        let left = session.deadline.left().map(|left| left.max(Duration::from_millis(1)));
        let statement = left.map_or_else(|| "0".into(), milliseconds);
        let lock = milliseconds(self.lock_timeout);
        self.client.query_one(include_str!("sql/limits.sql"), &[&lock, &statement])?;
        Ok(())
    }
}
