//! A table as the report tells of it.

use std::time::SystemTime;

use postgres::Row;
use tg_core::clock;
use tg_core::database::Client;

use crate::bloat::Bloat;
use crate::table::ratio;

use super::autovacuum::Autovacuum;

/// Bytes of a relation, as asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    /// Its own, without indexes and TOAST.
    pub(crate) own: i64,
    pub(super) indexes: i64,
    /// All together.
    pub(super) total: i64,
}

/// What is known of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    /// A partitioned parent.
    pub(super) parent: bool,
    /// Pages and rows by the catalog; rows below 0: never counted.
    pub(super) pages: i64,
    pub(super) rows: f64,
    /// Rows by the statistics.
    pub(super) live: i64,
    pub(super) dead: i64,
    /// Rows that were changed since it was analysed.
    pub(super) changed: i64,
    /// Rows that were ever written, since the statistics began.
    pub(super) written: i64,
    pub(super) last_vacuum: Option<SystemTime>,
    pub(super) last_autovacuum: Option<SystemTime>,
    pub(super) last_analyze: Option<SystemTime>,
    pub(super) last_autoanalyze: Option<SystemTime>,
    /// Transactions since it was frozen, or its TOAST.
    pub(super) freeze_age: i64,
    pub(super) without_statistics: bool,
    /// `name=value`.
    pub(super) options: Vec<String>,
    /// Looked at later, where it is worth it.
    pub(super) size: Option<Size>,
    pub(super) bloat: Option<Bloat>,
}

impl Relation {
    /// Everything that there is.
    pub(super) fn all(client: &mut Client) -> Result<Vec<Self>, tg_core::database::QueryError> {
        let rows = client.query(include_str!("../sql/relations.sql"), &[])?;
        rows.iter().map(Self::read).collect()
    }

    fn read(row: &Row) -> Result<Self, tg_core::database::QueryError> {
        Ok(Relation {
            oid: row.try_get("oid")?,
            schema: row.try_get("schema")?,
            name: row.try_get("name")?,
            parent: row.try_get("parent")?,
            pages: row.try_get("pages")?,
            rows: row.try_get("rows")?,
            live: row.try_get("live")?,
            dead: row.try_get("dead")?,
            changed: row.try_get("changed")?,
            written: row.try_get("written")?,
            last_vacuum: row.try_get("last_vacuum")?,
            last_autovacuum: row.try_get("last_autovacuum")?,
            last_analyze: row.try_get("last_analyze")?,
            last_autoanalyze: row.try_get("last_autoanalyze")?,
            freeze_age: row.try_get("freeze_age")?,
            without_statistics: row.try_get("without_statistics")?,
            options: row.try_get::<_, Option<Vec<String>>>("options")?.unwrap_or_default(),
            size: None,
            bloat: None,
        })
    }

    /// Dead rows of all rows; none where there are none at all.
    pub(super) fn dead_ratio(&self) -> Option<f64> {
        (self.live + self.dead > 0).then(|| ratio(self.dead, self.live + self.dead))
    }

    /// Per cent of a page that is filled.
    pub(super) fn fill(&self) -> f64 {
        option(&self.options, "fillfactor").and_then(|value| value.parse().ok()).unwrap_or(100.0)
    }

    /// Whether autovacuum should have come, and what it waits for.
    pub(super) fn autovacuum(&self, autovacuum: &Autovacuum) -> Autovacuum {
        autovacuum.of(&self.options)
    }
}

/// The value of a storage option.
pub(super) fn option<'a>(options: &'a [String], name: &str) -> Option<&'a str> {
    options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
}

/// RFC 3339 in UTC.
pub(super) fn time(at: Option<SystemTime>) -> Option<String> {
    at.map(clock::rfc3339)
}
