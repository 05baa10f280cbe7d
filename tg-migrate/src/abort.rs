//! Ends a migrator that a killed run left behind, before its database is put back under it.

use std::time::Duration;

use serde_json::json;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::session::{Answer, Session};

use crate::error::MigrateError;
use crate::migrator;

const POLL: Duration = Duration::from_millis(100);

pub(crate) fn run(session: &Session) -> Result<Answer, MigrateError> {
    let project = Project::load(session)?;
    let engine = Engine::connect(&session.bounds())?;
    session.emit.start(
        "ending migrators that were left behind",
        json!({"version": crate::VERSION, "project": project.name}),
    )?;
    let state = project.state()?;
    let mut ended = Vec::new();
    // The lock itself may be what a killed tg-migrate left with its migrator.
    let _lock = session.begin_change_after(&state, &mut |_| {
        session.check("ending a migrator")?;
        ended.extend(end(&project, &engine)?);
        session.deadline.sleep(POLL);
        Ok(())
    })?;
    ended.extend(end(&project, &engine)?);
    for name in &ended {
        session
            .emit
            .record(&format!("ended migrator {name}"), json!({"kind": "ended", "container": name}))?;
    }
    let msg = if ended.is_empty() { "no migrator was running" } else { "migrators ended" };
    Ok(Answer::yes(msg, json!({"changed": !ended.is_empty(), "ended": ended})))
}

/// Stops and removes every migrator that is still there.
fn end(project: &Project, engine: &Engine) -> Result<Vec<String>, tg_core::Error> {
    let mut names = Vec::new();
    for container in migrator::left_behind(project, engine)? {
        engine.stop(&container.id, None)?;
        engine.remove(&container.id)?;
        names.push(container.name);
    }
    Ok(names)
}
