//! Runs the migrator once and tells what it changed.

use std::process::ExitStatus;
use std::time::Duration;

use postgres::Client;
use serde_json::{Map, Value, json};
use tg_core::database::Target;
use tg_core::engine::Engine;
use tg_core::event::StepState;
use tg_core::process::{self, Runner};
use tg_core::project::Project;
use tg_core::session::{Answer, Session};
use tg_core::{Exit, history};

use crate::cli::Cli;
use crate::error::MigrateError;
use crate::mark::{self, Mark};
use crate::migrator::{self, Migrator};
use crate::reason::Reason;

/// The journaled step; `tg-migrate changed` and `tg-backup restore` look for it.
pub(crate) const STEP: &str = "migrate";

pub(crate) fn run(session: &Session, cli: &Cli) -> Result<Answer, MigrateError> {
    let project = Project::load(session)?;
    project.require(&project.migrate, "migrate")?;
    let engine = Engine::connect()?;
    let mut migrator = Migrator::prepare(session, &project, &engine, cli)?;
    let target = Target::find(session, &project, &engine, &cli.database)?;
    let mut client = target.connect(crate::TOOL, None)?;
    let plan = json!({
        "version": crate::VERSION, "project": project.name, "service": migrator.service, "to": migrator.tag,
        "image": migrator.reference, "image_id": migrator.image.id, "database": target.place(), "dry_run": cli.dry_run,
    });
    session.emit.start(&format!("migrating {} with {}", target.name, migrator.reference), plan)?;
    if cli.dry_run {
        return Ok(Answer::yes(
            "dry run: nothing was changed",
            json!({"changed": false, "to": migrator.tag}),
        ));
    }
    let state = project.state()?;
    let _lock = session.begin_change(&state)?;
    await_others(session, &project, &engine)?;
    session.check("waiting to migrate")?;
    let before = Mark::take(&mut client)?;
    let intent = json!({
        "to": migrator.tag, "image_id": migrator.image.id, "schema_before": before.schema.hash(), "xid_before": before.xid,
    });
    session.emit.step(STEP, StepState::Started, "run the migrations", intent)?;
    let begun = std::time::Instant::now();
    let ended = execute(session, &mut migrator);
    let outcome = Outcome::find(&mut client, &target, &migrator, &before)?;
    outcome.tell(session)?;
    let (status, reason) = match ended {
        Ok((status, reason)) => (Some(status), reason),
        Err(error) => (None, error.to_string()),
    };
    let well = status.is_some_and(|s| s.success());
    let mut data = outcome.data();
    data.insert("exit_code".into(), json!(status.and_then(|s| s.code())));
    data.insert("duration_ms".into(), json!(begun.elapsed().as_millis()));
    if !well {
        data.insert("error".into(), json!(reason));
    }
    let step = if well { StepState::Succeeded } else { StepState::Failed };
    session.emit.step(STEP, step, "run the migrations", Value::Object(data.clone()))?;
    data.insert("to".into(), json!(migrator.tag));
    data.insert("image_id".into(), json!(migrator.image.id));
    data.insert("outcome".into(), json!(if well { "succeeded" } else { "failed" }));
    history::append(&state, &session.run, crate::TOOL, "migrate", data.clone())?;
    if well {
        return Ok(Answer { exit: Exit::Done, msg: outcome.sentence(), data: Value::Object(data) });
    }
    let status = status.map_or_else(|| "not run to its end".into(), process::describe);
    Err(if outcome.changed() {
        MigrateError::FailedDirty { status, reason, run: session.run.clone() }
    } else {
        MigrateError::FailedClean { status, reason }
    })
}

/// One migrator at a time: waits for one that a killed run or a person left running.
fn await_others(session: &Session, project: &Project, engine: &Engine) -> Result<(), MigrateError> {
    for other in migrator::left_behind(project, engine)? {
        let msg = format!("waiting for migrator {} which is still running", other.name);
        session.emit.warning("migrator-running", &msg, json!({"container": other.name}))?;
        while engine.inspect(&other.id)?.is_some_and(|c| c.running()) {
            session.check("waiting for another migrator")?;
            session.deadline.sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}

/// Runs the migrator to its end; its lines become records. Returns how it ended, and why as it says.
fn execute(session: &Session, migrator: &mut Migrator) -> Result<(ExitStatus, String), MigrateError> {
    let mut reason = Reason::default();
    let runner = Runner { emit: &session.emit, deadline: session.deadline };
    let status = runner.stream(&mut migrator.command, |stream, line| {
        reason.hear(line);
        let data = json!({"kind": "line", "stream": stream, "line": line});
        session.emit.record(line, data).map_err(MigrateError::from)
    })?;
    Ok((status, reason.tell()))
}

/// What the migration did, whatever its exit code says.
struct Outcome {
    before: String,
    after: Mark,
    objects: Vec<(&'static str, String, String)>,
    rows: Vec<mark::Written>,
}

impl Outcome {
    fn find(
        client: &mut Client,
        target: &Target,
        migrator: &Migrator,
        before: &Mark,
    ) -> Result<Self, MigrateError> {
        // The migrator may have run for hours and the server may have dropped our idle session.
        let mut fresh;
        let client = if client.is_valid(Duration::from_secs(5)).is_ok() {
            client
        } else {
            fresh = target.connect(crate::TOOL, None)?;
            &mut fresh
        };
        mark::settle(client, &migrator.application)?;
        let after = Mark::take(client)?;
        let (objects, rows) = (before.schema.changes(&after.schema), before.rows_until(&after));
        Ok(Outcome { before: before.schema.hash(), after, objects, rows })
    }

    fn schema_changed(&self) -> bool {
        !self.objects.is_empty()
    }

    fn changed(&self) -> bool {
        self.schema_changed() || !self.rows.is_empty()
    }

    fn tell(&self, session: &Session) -> Result<(), MigrateError> {
        for (how, kind, name) in &self.objects {
            session.emit.record(
                &format!("{how} {kind} {name}"),
                json!({"kind": "schema", "change": how, "object": kind, "name": name}),
            )?;
        }
        for written in &self.rows {
            let total = written.inserted + written.updated + written.deleted;
            let mut data = written.data();
            if let Some(map) = data.as_object_mut() {
                map.insert("kind".into(), json!("rows"));
            }
            session
                .emit
                .record(&format!("wrote {total} rows in {}.{}", written.schema, written.table), data)?;
        }
        Ok(())
    }

    fn data(&self) -> Map<String, Value> {
        let rows: i64 = self.rows.iter().map(|w| w.inserted + w.updated + w.deleted).sum();
        let data = json!({
            "changed": self.changed(), "schema_changed": self.schema_changed(), "schema_before": self.before,
            "schema_after": self.after.schema.hash(), "rows_written": rows, "xid_after": self.after.xid,
        });
        data.as_object().cloned().unwrap_or_default()
    }

    fn sentence(&self) -> String {
        match (self.schema_changed(), self.rows.is_empty()) {
            (false, true) => "the migrations had nothing to do".into(),
            (true, _) => format!("migrated: {} changes in the schema", self.objects.len()),
            (false, false) => "migrated: rows were written, the schema is as before".into(),
        }
    }
}
