//! Has the migration of a run changed the database? Its journal says what was seen then; the database says what it is now.

use serde_json::{Map, Value, json};
use tg_core::database::{Client, Target};
use tg_core::engine::Engine;
use tg_core::journal;
use tg_core::project::Project;
use tg_core::session::{Answer, Session};
use tg_core::transactions::Transactions;
use tg_core::{Exit, Truth};

use crate::catalog::Catalog;
use crate::cli::Cli;
use crate::error::MigrateError;
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
    let steps = journal::steps(&project.state()?, &session.run)?;
    let Some(journaled) = Journaled::of(&steps) else {
        return Ok(answer(&Truth::No, "no migration ran", "journal"));
    };
    if journaled.changed.is_yes() {
        return Ok(answer(&Truth::Yes, "the migration changed the database", "journal"));
    }
    let engine = Engine::connect(&session.bounds())?;
    let target = Target::find(session, &project, &engine, &cli.database)?;
    let mut client = target.connect(crate::TOOL, None)?;
    let catalog = Catalog::read(&mut client)?;
    if catalog.hash() != journaled.schema_before {
        let msg = "the schema is not what it was before the migration";
        return Ok(answer(&Truth::Yes, msg, "comparison"));
    }
    if journaled.changed.is_no() {
        return Ok(answer(
            &Truth::No,
            "the migration changed nothing, and the schema is as before it",
            "journal",
        ));
    }
    let changed = journaled.compare(&catalog, &mut client)?;
    let msg = match &changed {
        Truth::No => "the migration changed nothing".to_owned(),
        Truth::Yes => "the migration changed the database".to_owned(),
        Truth::Unknown(why) => {
            format!("the migration may have changed the database, which can't be told: {why}")
        }
    };
    Ok(answer(&changed, &msg, "comparison"))
}

/// What the journal of a run says of its migrations.
#[derive(Debug, PartialEq)]
struct Journaled {
    /// Of the first one.
    schema_before: String,
    /// The same with what a dump leaves out.
    catalog_before: String,
    xid_before: Option<i64>,
    /// What was seen at their ends; one that was killed has none.
    changed: Truth,
}

impl Journaled {
    /// Nothing where none was begun.
    fn of(steps: &[Value]) -> Option<Self> {
        let all: Vec<&Value> =
            steps.iter().map(|line| &line["data"]).filter(|data| data["step"] == STEP).collect();
        let (begun, ended): (Vec<&Value>, Vec<&Value>) =
            all.into_iter().partition(|d| d["state"] == "started");
        let first = begun.first()?;
        let known = ended.iter().map(|data| match data["changed"].as_bool() {
            Some(changed) => Truth::from(changed),
            None => Truth::unknown("it could not be told when the migration ended"),
        });
        let killed =
            if begun.len() > ended.len() { Truth::unknown("the migration was killed") } else { Truth::No };
        Some(Journaled {
            schema_before: first["schema_before"].as_str().unwrap_or_default().to_owned(),
            catalog_before: first["catalog_before"].as_str().unwrap_or_default().to_owned(),
            xid_before: first["xid_before"].as_i64(),
            changed: known.fold(killed, Truth::or),
        })
    }

    /// With the server as it is now, whose schema is as it was.
    fn compare(&self, catalog: &Catalog, client: &mut Client) -> Result<Truth, MigrateError> {
        if catalog.hash_here() != self.catalog_before {
            return Ok(Truth::Yes);
        }
        let Some(xid) = self.xid_before else {
            return Ok(Truth::unknown("the journal does not say which transaction was the next before it"));
        };
        Ok(!Transactions::since(client, xid)?.wrote_nothing())
    }
}

/// What can't be told is treated as a change, for the way back relies on the opposite.
fn answer(changed: &Truth, msg: &str, by: &str) -> Answer {
    let mut data = Map::new();
    changed.put(&mut data, "changed");
    data.insert("by".into(), json!(by));
    let exit = if changed.is_no() { Exit::No } else { Exit::Done };
    Answer { exit, msg: msg.into(), data: Value::Object(data) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(state: &str, more: &Value) -> Value {
        let mut data = json!({"step": STEP, "state": state, "schema_before": "s", "xid_before": 7});
        data.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        json!({"type": "step", "data": data})
    }

    fn changed(steps: &[Value]) -> Option<bool> {
        Journaled::of(steps).unwrap().changed.known()
    }

    #[test]
    fn only_migrations_that_all_ended_and_were_seen_to_change_nothing_changed_nothing() {
        let (begun, none) = (step("started", &json!({})), json!({}));
        let ended = |changed: Value| step("failed", &json!({"changed": changed}));
        assert!(Journaled::of(&[]).is_none());
        assert_eq!(changed(&[begun.clone(), ended(json!(false))]), Some(false));
        assert_eq!(changed(&[begun.clone(), ended(json!(true))]), Some(true));
        assert_eq!(changed(std::slice::from_ref(&begun)), None, "killed");
        assert_eq!(changed(&[begun.clone(), ended(Value::Null)]), None, "could not be told");
        assert_eq!(changed(&[begun.clone(), step("failed", &none)]), None, "a line of an older release");
        assert_eq!(
            changed(&[begun.clone(), ended(json!(false)), begun.clone()]),
            None,
            "the second was killed"
        );
        assert_eq!(changed(&[begun.clone(), begun, ended(json!(true))]), Some(true));
    }
}
