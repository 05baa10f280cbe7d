//! What every command works with: the project and its database.

use serde_json::{Value, json};
use tg_core::backup::Store;
use tg_core::database::Client;
use tg_core::database::Target;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::session::Session;

use crate::cli::Cli;
use crate::error::MigrateError;
use crate::rehearse;

pub(crate) struct Context<'a> {
    pub session: &'a Session,
    pub project: Project,
    pub engine: Engine,
    pub target: Target,
}

impl<'a> Context<'a> {
    /// Finds everything, and clears away what a killed rehearsal has left; nothing is connected to yet but the engine.
    pub(crate) fn open(session: &'a Session, cli: &Cli) -> Result<Self, MigrateError> {
        let project = Project::load(session)?;
        let engine = Engine::connect(&session.bounds())?;
        let target = Target::find(session, &project, &engine, &cli.database)?;
        let ctx = Context { session, project, engine, target };
        rehearse::sweep(&ctx)?;
        Ok(ctx)
    }

    /// The first line, of a command that is about the database.
    pub(crate) fn start(&self, about: &str, command: &str, more: Value) -> Result<(), MigrateError> {
        let mut data = json!({
            "version": crate::VERSION, "command": command, "project": self.project.name, "database": self.target.place(),
            "database_from": self.target.origin(),
        });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        self.session.emit.start(&format!("{about} {}", self.target.name), data)?;
        Ok(self.target.tell_other(self.session)?)
    }

    /// Where backups are.
    pub(crate) fn store(&self, cli: &Cli) -> Result<Store, MigrateError> {
        Ok(Store::of(&self.project, cli.backup_dir.as_deref())?)
    }

    pub(crate) fn connect(&self) -> Result<Client, MigrateError> {
        Ok(self.target.connect(crate::TOOL, None)?)
    }
}
