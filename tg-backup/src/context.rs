//! What every command works with: the project, its database, and where backups live.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tg_core::backup::crypt::Identities;
use tg_core::backup::readable::Readable;
use tg_core::backup::sealed;
use tg_core::backup::store::Store;
use tg_core::backup::{Entry, Manifest};
use tg_core::database::Target;
use tg_core::engine::Engine;
use tg_core::ours::{Maker, Turn};
use tg_core::project::Project;
use tg_core::state::State;
use tg_core::{Session, atomic_file};

use crate::cli::Cli;
use crate::clients;
use crate::cluster::Cluster;
use crate::error::Error;

pub(crate) struct Context<'a> {
    pub session: &'a Session,
    pub project: Project,
    engine: OnceLock<Engine>,
    pub target: Target,
    pub state: State,
    pub store: Store,
    /// The file with who we are, where it was named on the command line.
    identity: Option<PathBuf>,
    pub dry_run: bool,
}

impl<'a> Context<'a> {
    /// Finds everything and tells it in the first line; nothing is connected to or changed yet.
    pub(crate) fn open(session: &'a Session, cli: &Cli, command: &str, about: &str) -> Result<Self, Error> {
        let project = Project::load(session)?;
        let engine = Engine::connect(&session.bounds())?;
        let target = Target::find(session, &project, &engine, &cli.database)?;
        Self::tell(session, cli, project, (Some(engine), target), (command, about))
    }

    /// The same for work beside the database, which need not be there.
    pub(crate) fn aside(session: &'a Session, cli: &Cli, command: &str, about: &str) -> Result<Self, Error> {
        let project = Project::load(session)?;
        let target = Target::written(session, &project, &cli.database)?;
        Self::tell(session, cli, project, (None, target), (command, about))
    }

    fn tell(
        session: &'a Session,
        cli: &Cli,
        project: Project,
        (engine, target): (Option<Engine>, Target),
        (command, about): (&str, &str),
    ) -> Result<Self, Error> {
        let (state, store) = (project.state()?, Store::of(&project, cli.backup_dir.as_deref())?);
        let plan = json!({
            "version": crate::VERSION, "command": command, "project": project.name, "database": target.place(), "database_from": target.origin(),
            "backup_dir": store.root(), "state_dir": state.root(), "dry_run": cli.dry_run,
        });
        if cli.identity.is_some() {
            Identities::of(&project, cli.identity.as_deref())?;
        }
        session.emit.start(&format!("{about} {}", target.name), plan)?;
        target.tell_other(session)?;
        let engine = engine.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Context {
            session,
            project,
            engine,
            target,
            state,
            store,
            identity: cli.identity.clone(),
            dry_run: cli.dry_run,
        })
    }

    /// Takes the lock, opens the journal, and clears away what a killed run of ours left running.
    pub(crate) fn begin(&self) -> Result<Turn<'_>, Error> {
        let lock = self.session.begin_change(&self.state)?;
        Turn::begin(lock, || {
            self.maker(crate::TOOL).sweep(self.engine()?)?;
            sealed::sweep(self.state.root());
            clients::sweep(self)
        })
    }

    /// The Docker engine, connected to when it is needed first.
    pub(crate) fn engine(&self) -> Result<&Engine, Error> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let engine = Engine::connect(&self.session.bounds())?;
        Ok(self.engine.get_or_init(|| engine))
    }

    /// A part of this tool that makes containers in this project.
    pub(crate) fn maker<'c>(&'c self, name: &'c str) -> Maker<'c> {
        Maker { session: self.session, state: &self.state, name }
    }

    /// Who may read encrypted backups here.
    pub(crate) fn identities(&self) -> Result<Identities, Error> {
        Ok(Identities::of(&self.project, self.identity.as_deref())?)
    }

    /// A backup's files, decrypted where that is needed, as these identities or as whom the project names.
    pub(crate) fn readable(
        &self,
        entry: &Entry,
        manifest: &Manifest,
        identities: Option<&Identities>,
    ) -> Result<Readable, Error> {
        let own = match identities {
            None if !manifest.recipients.is_empty() => self.identities()?,
            _ => Identities::default(),
        };
        self.session.check("reading the backup")?;
        Ok(Readable::of(entry, manifest, identities.unwrap_or(&own))?)
    }

    /// A connection beside the database, for what can't be done from inside it.
    pub(crate) fn cluster(&self) -> Result<Cluster, Error> {
        Cluster::open(&self.target)
    }

    /// One change of ours, journaled before and after.
    pub(crate) fn change<T>(
        &self,
        step: &str,
        msg: &str,
        intent: Value,
        work: impl FnOnce() -> Result<(T, Value), Error>,
    ) -> Result<T, Error> {
        self.session.check(&format!("about to {msg}"))?;
        self.session.emit.change(step, msg, intent, work)
    }
}

/// Makes the directory of backups.
pub(crate) fn make_store(store: &Store) -> Result<(), Error> {
    Ok(atomic_file::make_dir(store.root())?)
}
