//! What kind of server answers, and what it understands.

use tg_core::Error;
use tg_core::database::Client;

/// What kind of server answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    /// `server_version_num`: 150004 is 15.4.
    pub(crate) number: i32,
    /// In recovery: nothing can be written.
    pub(crate) standby: bool,
    /// `track_counts`: it counts what our sessions do.
    pub(crate) counts: bool,
}

impl Server {
    /// `SKIP_LOCKED` and `TRUNCATE` came with it.
    pub(crate) const OLDEST: i32 = 12;

    /// Asks it.
    pub(crate) fn ask(client: &mut Client) -> Result<Self, Error> {
        let row = client.query_one(include_str!("sql/server.sql"), &[])?;
        Ok(Server {
            number: row.try_get("version")?,
            standby: row.try_get("standby")?,
            counts: row.try_get("counts")?,
        })
    }

    /// Major version.
    pub(crate) fn major(self) -> i32 {
        self.number / 10_000
    }

    /// Whether statistics read right after a vacuum are those of that vacuum.
    pub(crate) fn statistics_at_once(self) -> bool {
        self.counts && self.major() >= 15
    }

    /// Why they may not be.
    pub(crate) fn counts_late(self) -> Option<&'static str> {
        match (self.counts, self.major()) {
            (false, _) => Some("track_counts is off"),
            (true, ..15) => Some("servers before PostgreSQL 15 count with a delay"),
            _ => None,
        }
    }

    /// Whether the database's own horizon need not be computed once a statement.
    pub(crate) fn skips_database_stats(self) -> bool {
        self.major() >= 16
    }

    /// Whether `VACUUM` can leave TOAST alone.
    pub(crate) fn knows_toast(self) -> bool {
        self.major() >= 14
    }

    /// Whether a parent's children are only left out when asked to.
    pub(crate) fn knows_only(self) -> bool {
        self.major() >= 18
    }

    /// Whether `VACUUM` can be told how many workers do the indexes.
    pub(crate) fn knows_parallel(self) -> bool {
        self.major() >= 13
    }

    /// Whether `VACUUM` can be told how much of the buffers it may use.
    pub(crate) fn limits_buffers(self) -> bool {
        self.major() >= 16
    }

    /// Whether the time spent in maintenance is counted for each table.
    pub(crate) fn counts_time(self) -> bool {
        self.major() >= 18
    }
}
