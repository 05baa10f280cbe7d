//! `tg-vacuum repack`: what writing a bloated table anew would give back, what it would cost, and who would have to wait; and doing it
//! where `pg_repack` is installed.

mod flags;
mod run;

use std::time::Duration;

use serde_json::{Value, json};
use tg_core::database::DatabaseFlags;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::{Answer, Error as CoreError, Session};

pub(crate) use self::flags::RepackFlags;
use self::run::Repack;
use crate::cli::default_lock_timeout;
use crate::database::Access;
use crate::disk;
use crate::error::Error;
use crate::report::{self, Bloated};
use crate::server::Server;
use crate::text;

/// Bytes a second at which a table and its indexes are written anew, about: the disk of a small host.
const PACE: f64 = 40.0 * 1024.0 * 1024.0;
const EXTENSION: &str = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_repack'";

/// A way to write a table anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `REPACK (CONCURRENTLY)` of 19 and later.
    Repack,
    /// The extension and its program.
    Extension,
    /// Nobody reads or writes meanwhile.
    Full,
}

impl Way {
    /// Those that this server has, the best first.
    fn all(server: Server, extension: bool) -> Vec<Self> {
        let mut all = Vec::new();
        if server.major() >= 19 {
            all.push(Way::Repack);
        }
        if extension {
            all.push(Way::Extension);
        }
        all.push(Way::Full);
        all
    }

    fn name(self) -> &'static str {
        match self {
            Way::Repack => "repack-concurrently",
            Way::Extension => "pg_repack",
            Way::Full => "vacuum-full",
        }
    }

    fn command(self, quoted: &str) -> String {
        match self {
            Way::Repack => format!("REPACK (CONCURRENTLY) {quoted};"),
            Way::Extension => format!("pg_repack --no-kill-backend --wait-timeout 10 --table '{quoted}'"),
            Way::Full => format!("VACUUM (FULL, ANALYZE) {quoted};"),
        }
    }

    /// How long readers and writers wait.
    fn blocks(self, takes: Duration) -> Value {
        match self {
            Way::Repack | Way::Extension => json!("for a moment at its beginning and at its end"),
            Way::Full => json!(format!("all the time, about {}", text::time(takes.as_secs_f64()))),
        }
    }
}

/// Tells it for each bloated table, and does it unless only a plan is wanted.
pub(crate) fn repack(
    session: &Session,
    database: &DatabaseFlags,
    flags: &RepackFlags,
) -> Result<Answer, Error> {
    let project = Project::load(session)?;
    let (access, mut connection) = Access::find(session, &project, database, default_lock_timeout())?;
    let extension = connection.client.query_opt(EXTENSION, &[]).map_err(CoreError::from)?.is_some();
    let ways = Way::all(access.server, extension);
    let engine = Engine::connect(&session.bounds())?;
    let free = disk::free(&engine, access.container(), &mut connection);
    let mut bloated = report::bloated(&mut connection.client, flags.max_bloat).map_err(CoreError::from)?;
    bloated.retain(|table| flags.means(table));
    let data = json!({
        "version": env!("CARGO_PKG_VERSION"), "database": access.place, "server_version": access.server.major(),
        "max_bloat": flags.max_bloat, "ways": ways.iter().map(|way| way.name()).collect::<Vec<_>>(), "disk_free": free,
    });
    session.emit.start(&format!("what writing bloated tables of {} anew would give", access.place), data)?;
    if !flags.plan {
        if access.server.standby {
            return Err(Error::Standby { place: access.place });
        }
        if !extension {
            let problem = "the extension pg_repack is not installed in this database".into();
            return Err(Error::NoRepack { problem });
        }
        let repack = Repack { session, access: &access, engine: &engine, free };
        return repack.all(&mut connection, &project.state()?, &bloated);
    }
    let mut gain = 0;
    for table in &bloated {
        gain += table.bytes;
        session.emit.record(&sentence(table, &ways, free), record(table, &ways, free))?;
    }
    let data = json!({"tables": bloated.len(), "gain_bytes": gain, "changed": false});
    let msg = format!("{} of {}", text::bytes(Some(gain)), text::tables(bloated.len()));
    Ok(Answer::yes(format!("{msg} could be given back; nothing was done"), data))
}

/// Bytes of the copy that stands beside the old one until the end.
fn needed(table: &Bloated) -> i64 {
    table.size - table.bytes
}

fn takes(table: &Bloated) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let bytes = (table.size + needed(table)) as f64;
    Duration::from_secs_f64(bytes / PACE)
}

fn fits(table: &Bloated, free: Option<u64>) -> Option<bool> {
    free.map(|free| tg_core::bytes::unsigned(needed(table)) < free)
}

fn record(table: &Bloated, ways: &[Way], free: Option<u64>) -> Value {
    let ways: Vec<Value> = ways
        .iter()
        .map(|way| json!({"way": way.name(), "command": way.command(&table.quoted()), "blocks": way.blocks(takes(table))}))
        .collect();
    json!({
        "kind": "table", "schema": table.schema, "table": table.name, "size_bytes": table.size, "gain_bytes": table.bytes,
        "bloat": table.bloat.data(), "needs_bytes": needed(table), "fits": fits(table, free),
        "about_ms": takes(table).as_millis(), "ways": ways,
    })
}

fn sentence(table: &Bloated, ways: &[Way], free: Option<u64>) -> String {
    let mut text = format!(
        "{}: {} of {} ({:.0} %, {}), needs {} meanwhile",
        text::label(&table.schema, &table.name),
        text::bytes(Some(table.bytes)),
        text::bytes(Some(table.size)),
        table.bloat.ratio * 100.0,
        table.bloat.method,
        text::bytes(Some(needed(table)))
    );
    if fits(table, free) == Some(false) {
        text.push_str(", which is not free");
    }
    if let Some(way) = ways.first() {
        text = format!("{text}\n  {}", way.command(&table.quoted()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_way_that_there_is_comes_first_and_blocking_all_is_the_last() {
        let on = |version: i32, extension| {
            Way::all(Server { number: version * 10_000, standby: false, counts: true }, extension)
        };
        assert_eq!(on(19, true), [Way::Repack, Way::Extension, Way::Full]);
        assert_eq!(on(17, true), [Way::Extension, Way::Full]);
        assert_eq!(on(17, false), [Way::Full]);
        assert!(Way::Full.blocks(Duration::from_secs(90)).as_str().unwrap().contains("1m 30s"));
        assert!(Way::Extension.command("\"a\".\"b\"").contains("--no-kill-backend"));
    }
}
