//! The application's migrator, as a one-shot of the target release or in the container that is up.

use std::process::Command;

use tg_core::container::{Container, RUN_LABEL};
use tg_core::engine::{Engine, Image};
use tg_core::image::is_tag;
use tg_core::process::Runner;
use tg_core::project::Project;
use tg_core::release::{self, Pin};
use tg_core::session::Session;

use crate::cli::{Cli, DEFAULT_EXEC};
use crate::error::MigrateError;

/// A migrator ready to run.
pub(crate) struct Migrator {
    pub service: String,
    /// The release, as its tag.
    pub tag: String,
    pub reference: String,
    pub image: Image,
    /// What its sessions are called in `pg_stat_activity`.
    pub application: String,
    pub command: Command,
    /// Keeps the compose override of the target release alive.
    _overriding: Option<tempfile::NamedTempFile>,
}

impl Migrator {
    /// Prepares the migrator of the target release; nothing is run.
    pub(crate) fn prepare(
        session: &Session,
        project: &Project,
        engine: &Engine,
        cli: &Cli,
    ) -> Result<Self, MigrateError> {
        let runner = Runner { emit: &session.emit, deadline: session.deadline };
        let service = match &cli.exec {
            Some(_) => project.api.first().cloned().unwrap_or_default(),
            None => project.migrate.clone(),
        };
        let pins = Pin::find(project, runner, std::slice::from_ref(&service))?;
        let pin = &pins[0];
        let tag = match &cli.to {
            Some(tag) if is_tag(tag) => tag.clone(),
            Some(tag) => return Err(MigrateError::NoTag(tag.clone())),
            None => pin.tag(),
        };
        let reference = pin.at(&tag);
        let image = engine.image(&reference)?.ok_or_else(|| MigrateError::ImageMissing(reference.clone()))?;
        let application = format!("{}:{}", crate::TOOL, session.run);
        let wanted: Vec<_> = pins.iter().map(|pin| (pin, tag.clone())).collect();
        let (compose, overriding) = release::preview(project, &wanted)?;
        let command = match &cli.exec {
            None => {
                let (name, label) =
                    (format!("PGAPPNAME={application}"), format!("{RUN_LABEL}={}", session.run));
                compose.command(&[
                    "--progress",
                    "quiet",
                    "run",
                    "--rm",
                    "-T",
                    "--no-deps",
                    "--label",
                    &label,
                    "-e",
                    &name,
                    &service,
                ])
            }
            Some(given) => {
                let container = of_release(project, engine, &service, &image, &reference)?;
                exec(project, given, &container, &application)?
            }
        };
        Ok(Migrator { service, tag, reference, image, application, command, _overriding: overriding })
    }
}

/// The running container of a service, which must be of the target release.
fn of_release(
    project: &Project,
    engine: &Engine,
    service: &str,
    image: &Image,
    wanted: &str,
) -> Result<Container, MigrateError> {
    let running = engine.running(&project.name, service)?;
    let first = running.into_iter().next().ok_or_else(|| tg_core::Error::NotRunning(service.to_owned()))?;
    if first.image_id == image.id {
        return Ok(first);
    }
    Err(MigrateError::OtherRelease { container: first.name, running: first.image, wanted: wanted.to_owned() })
}

fn exec(
    project: &Project,
    given: &str,
    container: &Container,
    application: &str,
) -> Result<Command, MigrateError> {
    let words = project.settings().string((!given.is_empty()).then(|| given.to_owned()), "migrate_exec")?;
    let words = words.unwrap_or_else(|| DEFAULT_EXEC.to_owned());
    let mut command = Command::new("docker");
    command.args(["exec", "-e", &format!("PGAPPNAME={application}"), &container.id]);
    command.args(words.split_whitespace());
    Ok(command)
}

/// Migrators of this project that are still there: made by us in this or an earlier run, or by hand.
pub(crate) fn left_behind(project: &Project, engine: &Engine) -> Result<Vec<Container>, tg_core::Error> {
    let mut found = engine.containers(&project.name, &project.migrate)?;
    found.retain(|container| container.one_off && container.running());
    Ok(found)
}
