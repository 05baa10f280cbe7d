//! The run: every table in its turn, and nothing that could not be interrupted between two.

use serde_json::{Value, json};
use tg_core::database::DatabaseFlags;
use tg_core::project::Project;
use tg_core::{Answer, Exit, Session, history};

use crate::cli::RunFlags;
use crate::database::Database;
use crate::error::Error;
use crate::maintain::{maintain, preview};
use crate::plan::{Action, DATABASE_STATS};
use crate::summary::Summary;
use crate::table::Table;
use crate::text;

/// Vacuums and analyses, or only analyses, every user table.
pub(crate) fn run(session: &Session, database: &DatabaseFlags, flags: &RunFlags) -> Result<Answer, Error> {
    let project = Project::load(session)?;
    let mut database = Database::open(session, &project, database, flags.lock_timeout())?;
    if database.server.standby {
        return Err(Error::Standby { place: database.place });
    }
    let tables = Table::list(&mut database.client, database.server)?;
    start(session, &database, flags, tables.len())?;
    if flags.dry_run {
        return dry_run(session, &tables, flags);
    }
    let state = project.state()?;
    let _lock = session.begin_change(&state)?;
    let summary = every_table(session, &mut database, &tables, flags)?;
    finish_database(session, &mut database, &summary)?;
    let action = if flags.analyze_only { "analyze" } else { "vacuum" };
    let Value::Object(facts) = summary.data() else { unreachable!("a summary is an object") };
    history::append(&state, &session.run, session.tool, action, facts)?;
    conclude(session, &summary)
}

fn start(session: &Session, database: &Database, flags: &RunFlags, tables: usize) -> Result<(), Error> {
    let what = if flags.analyze_only { "ANALYZE" } else { "VACUUM (ANALYZE)" };
    let data = json!({
        "version": env!("CARGO_PKG_VERSION"), "database": database.place,
        "server_version": database.server.version, "tables": tables,
        "analyze_only": flags.analyze_only, "dry_run": flags.dry_run,
        "lock_timeout_ms": flags.lock_timeout().as_millis(),
    });
    session.emit.start(&format!("{what} of {} at {}", text::tables(tables), database.place), data)?;
    Ok(())
}

fn dry_run(session: &Session, tables: &[Table], flags: &RunFlags) -> Result<Answer, Error> {
    for table in tables {
        preview(session, table, Action::of(table, flags.analyze_only))?;
    }
    let mut data = Summary::new(tables.len()).data();
    data["dry_run"] = json!(true);
    Ok(Answer::yes(format!("{}; nothing was done, this is a dry run", text::tables(tables.len())), data))
}

fn every_table(
    session: &Session,
    database: &mut Database,
    tables: &[Table],
    flags: &RunFlags,
) -> Result<Summary, Error> {
    let mut summary = Summary::new(tables.len());
    for table in tables {
        let stop = |cause| Error::Stopped { cause, summary: summary.data() };
        session.check("vacuuming").map_err(stop)?;
        maintain(session, database, table, Action::of(table, flags.analyze_only), &mut summary)?;
    }
    Ok(summary)
}

/// The database's own horizon moves once for all tables. It moves with the next vacuum otherwise.
fn finish_database(session: &Session, database: &mut Database, summary: &Summary) -> Result<(), Error> {
    if summary.vacuumed > 0
        && database.server.skips_database_stats()
        && let Err(error) = database.client.batch_execute(DATABASE_STATS)
    {
        let msg =
            format!("the database's freeze horizon was not updated: {}", tg_core::database::describe(&error));
        session.emit.warning("database-stats", &msg, json!({}))?;
    }
    Ok(())
}

fn conclude(session: &Session, summary: &Summary) -> Result<Answer, Error> {
    if !summary.skipped.is_empty() {
        let msg = format!("{} skipped; the records say why", text::tables(summary.skipped.len()));
        session.emit.warning("tables-skipped", &msg, json!({"tables": summary.skipped}))?;
    }
    if summary.all_failed() {
        let first = summary.first_failure.clone().unwrap_or_default();
        return Err(Error::AllFailed { first, summary: summary.data() });
    }
    let exit = if summary.failed > 0 { Exit::No } else { Exit::Done };
    Ok(Answer { exit, msg: summary.sentence(), data: summary.data() })
}
