//! Ends a migrator that a killed run left behind, before its database is put back under it.

use serde_json::json;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::session::{Answer, Session};

use crate::error::MigrateError;
use crate::migrator;

pub(crate) fn run(session: &Session) -> Result<Answer, MigrateError> {
    let project = Project::load(session)?;
    let engine = Engine::connect()?;
    session.emit.start(
        "ending migrators that were left behind",
        json!({"version": crate::VERSION, "project": project.name}),
    )?;
    let _lock = session.begin_change(&project.state()?)?;
    let left = migrator::left_behind(&project, &engine)?;
    for container in &left {
        let data = json!({"container": container.name});
        session.emit.change("abort", &format!("end migrator {}", container.name), data, || {
            engine.stop(&container.id, None)?;
            engine.remove(&container.id)?;
            Ok::<_, MigrateError>(((), json!({})))
        })?;
    }
    let msg = if left.is_empty() { "no migrator was running" } else { "migrators ended" };
    Ok(Answer::yes(msg, json!({"changed": !left.is_empty(), "ended": left.len()})))
}
