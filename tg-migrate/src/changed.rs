//! Has the migration of a run changed the database?

use serde_json::{Value, json};
use tg_core::database::Target;
use tg_core::engine::Engine;
use tg_core::journal;
use tg_core::project::Project;
use tg_core::session::{Answer, Session};

use crate::catalog::Catalog;
use crate::cli::Cli;
use crate::error::MigrateError;
use crate::mark;
use crate::run::STEP;

pub(crate) fn run(session: &Session, cli: &Cli) -> Result<Answer, MigrateError> {
    if !session.joined {
        return Err(MigrateError::NoRun);
    }
    let project = Project::load(session)?;
    session.emit.start(
        "looking whether the migration changed the database",
        json!({"version": crate::VERSION, "project": project.name}),
    )?;
    let steps = journal::steps(&project.state()?, &session.run);
    let migrations: Vec<&Value> =
        steps.iter().map(|line| &line["data"]).filter(|data| data["step"] == STEP).collect();
    let Some(first) = migrations.iter().find(|data| data["state"] == "started") else {
        return Ok(answer(false, "no migration ran", "journal"));
    };
    let outcomes = migrations.iter().filter(|data| data["state"] != "started");
    if outcomes.clone().any(|data| data["changed"] == true) {
        return Ok(answer(true, "the migration changed the database", "journal"));
    }
    let intents = migrations.iter().filter(|data| data["state"] == "started").count();
    if outcomes.count() == intents {
        return Ok(answer(false, "the migration changed nothing", "journal"));
    }
    let changed = compare(session, cli, &project, first)?;
    let msg = if changed {
        "a killed migration may have changed the database"
    } else {
        "a killed migration changed nothing"
    };
    Ok(answer(changed, msg, "comparison"))
}

/// The catalog differs, or somebody wrote: no write at all is the only proof that no row changed.
fn compare(session: &Session, cli: &Cli, project: &Project, first: &Value) -> Result<bool, MigrateError> {
    let target = Target::find(session, project, &Engine::connect(&session.bounds())?, &cli.database)?;
    let mut client = target.connect(crate::TOOL, None)?;
    let same_schema = first["schema_before"] == Catalog::read(&mut client)?.hash().as_str();
    let same_xid = first["xid_before"] == mark::next_xid(&mut client)?;
    Ok(!(same_schema && same_xid))
}

fn answer(changed: bool, msg: &str, by: &str) -> Answer {
    let data = json!({"changed": changed, "by": by});
    if changed { Answer::yes(msg, data) } else { Answer::no(msg, data) }
}
