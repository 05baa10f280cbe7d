//! The guide's query: which tables have many dead rows.

use postgres::Row;
use serde_json::{Value, json};
use tg_core::database::DatabaseFlags;
use tg_core::project::Project;
use tg_core::{Answer, Error as CoreError, Session};

use crate::cli::{ReportFlags, default_lock_timeout};
use crate::database::Database;
use crate::error::Error;
use crate::grid;
use crate::text;

const HEADER: [&str; 7] = ["table", "size", "live rows", "dead rows", "dead", "last vacuum", "last analyze"];

/// One row of the report.
struct Bloat {
    schema: String,
    table: String,
    size_bytes: Option<i64>,
    live: i64,
    dead: i64,
    dead_ratio: Option<f64>,
    last_vacuum: Option<String>,
    last_autovacuum: Option<String>,
    last_analyze: Option<String>,
    last_autoanalyze: Option<String>,
}

/// Lists the tables with many dead rows, the worst first.
pub(crate) fn report(
    session: &Session,
    database: &DatabaseFlags,
    flags: &ReportFlags,
) -> Result<Answer, Error> {
    let project = Project::load(session)?;
    let mut database = Database::open(session, &project, database, default_lock_timeout())?;
    session.check("asking the database")?;
    let rows = query(&mut database, flags).map_err(CoreError::from)?;
    let mut cells = vec![HEADER.map(str::to_owned)];
    cells.extend(rows.iter().map(Bloat::cells));
    let lines = grid::align(&cells);
    start(session, &database, flags, if rows.is_empty() { "" } else { &lines[0] })?;
    if database.server.standby {
        let msg = "this is a standby: its statistics don't count what the primary's tables hold";
        session.emit.warning("standby", msg, json!({}))?;
    }
    for (row, line) in rows.iter().zip(&lines[1..]) {
        session.emit.record(line, row.data())?;
    }
    let total: i64 = rows.iter().map(|row| row.dead).sum();
    let data = json!({"tables": rows.len(), "dead": total, "changed": false});
    let msg =
        format!("{} with more than {} dead rows", text::tables(rows.len()), text::count(flags.min_dead));
    Ok(Answer::yes(msg, data))
}

fn start(session: &Session, database: &Database, flags: &ReportFlags, header: &str) -> Result<(), CoreError> {
    let mut msg =
        format!("tables of {} with more than {} dead rows", database.place, text::count(flags.min_dead));
    if !header.is_empty() {
        msg = format!("{msg}\n{header}");
    }
    let data = json!({
        "version": env!("CARGO_PKG_VERSION"), "database": database.place,
        "server_version": database.server.version, "min_dead": flags.min_dead, "top": flags.top,
    });
    session.emit.start(&msg, data)
}

fn query(database: &mut Database, flags: &ReportFlags) -> Result<Vec<Bloat>, postgres::Error> {
    let top = flags.top.map(i64::from);
    let rows = database.client.query(include_str!("sql/report.sql"), &[&flags.min_dead, &top])?;
    rows.iter().map(Bloat::read).collect()
}

impl Bloat {
    fn read(row: &Row) -> Result<Self, postgres::Error> {
        Ok(Bloat {
            schema: row.try_get("schema")?,
            table: row.try_get("name")?,
            size_bytes: row.try_get("size_bytes")?,
            live: row.try_get("live")?,
            dead: row.try_get("dead")?,
            dead_ratio: row.try_get("dead_ratio")?,
            last_vacuum: row.try_get("last_vacuum")?,
            last_autovacuum: row.try_get("last_autovacuum")?,
            last_analyze: row.try_get("last_analyze")?,
            last_autoanalyze: row.try_get("last_autoanalyze")?,
        })
    }

    fn data(&self) -> Value {
        json!({
            "schema": self.schema, "table": self.table, "size_bytes": self.size_bytes,
            "live": self.live, "dead": self.dead, "dead_ratio": self.dead_ratio,
            "last_vacuum": self.last_vacuum, "last_autovacuum": self.last_autovacuum,
            "last_analyze": self.last_analyze, "last_autoanalyze": self.last_autoanalyze,
        })
    }

    fn cells(&self) -> [String; 7] {
        [
            text::label(&self.schema, &self.table),
            text::bytes(self.size_bytes),
            text::count(self.live),
            text::count(self.dead),
            self.dead_ratio.map_or_else(|| "-".into(), |ratio| format!("{:.1} %", ratio * 100.0)),
            latest(self.last_vacuum.as_ref(), self.last_autovacuum.as_ref()),
            latest(self.last_analyze.as_ref(), self.last_autoanalyze.as_ref()),
        ]
    }
}

/// The later of two times to the minute; both are UTC and have the same form.
fn latest(by_hand: Option<&String>, by_itself: Option<&String>) -> String {
    let time = by_hand.max(by_itself).and_then(|time| time.get(..16));
    time.map_or_else(|| "never".into(), |time| time.replace('T', " "))
}
