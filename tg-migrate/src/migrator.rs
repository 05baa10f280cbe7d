//! The application's migrator, as a one-shot of the target release or in the container that is up.

use std::process::Command;

use serde_json::json;
use tg_core::compose::Compose;
use tg_core::container::{Container, RUN_LABEL};
use tg_core::engine::{Engine, Image};
use tg_core::image::is_tag;
use tg_core::project::Project;
use tg_core::release::{self, Pin};

use crate::cli::{Cli, DEFAULT_EXEC, LOCK_TIMEOUT};
use crate::context::Context;
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
    /// Whether it has a container of its own.
    pub contained: bool,
    pub command: Command,
    /// The same without options of ours for its sessions; `None` where the command has none.
    without_options: Option<Command>,
    /// Keeps the compose override of the target release alive.
    _overriding: Option<tempfile::NamedTempFile>,
}

impl Migrator {
    /// Prepares the migrator of the target release; nothing is run.
    pub(crate) fn prepare(ctx: &Context, cli: &Cli) -> Result<Self, MigrateError> {
        let Context { session, project, engine, .. } = ctx;
        let runner = session.runner();
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
        let name = format!("PGAPPNAME={application}");
        let options = options(ctx, cli, &service)?;
        let wanted: Vec<_> = pins.iter().map(|pin| (pin, tag.clone())).collect();
        let (compose, overriding) = release::preview(project, &wanted)?;
        let running = match &cli.exec {
            None => None,
            Some(_) => Some(of_release(project, engine, &service, &image, &reference)?),
        };
        let command = |environment: &[&str]| match (&cli.exec, &running) {
            (Some(given), Some(container)) => exec(project, given, container, environment),
            _ => Ok(one_off(&compose, &service, &session.run, environment)),
        };
        let (command, without_options) = match &options {
            Some(options) => (command(&[&name, options])?, Some(command(&[&name])?)),
            None => (command(&[&name])?, None),
        };
        let contained = cli.exec.is_none();
        Ok(Migrator {
            service,
            tag,
            reference,
            image,
            application,
            contained,
            command,
            without_options,
            _overriding: overriding,
        })
    }

    /// Runs without options of ours from now on; whether it had some.
    pub(crate) fn drop_options(&mut self) -> bool {
        self.without_options.take().is_some_and(|command| {
            self.command = command;
            true
        })
    }
}

/// What bounds the migrator's sessions from outside, as libpq and node-postgres take it; nothing where that is switched off.
/// What the service itself says of them is kept.
fn options(ctx: &Context, cli: &Cli, service: &str) -> Result<Option<String>, MigrateError> {
    let settings = ctx.project.settings();
    let limit = settings.get(cli.lock_timeout, "migrate_lock_timeout", tg_core::cli::duration)?;
    let wanted = settings.get(None, "migrate_options", |text| {
        text.parse::<bool>().map_err(|_| "it must be true or false".to_owned())
    })?;
    if wanted == Some(false) {
        if limit.is_some() {
            let msg = "lock_timeout does not apply to the migrator: migrate_options is false";
            let origin = settings.origin("migrate_options");
            ctx.session.emit.warning("no-lock-timeout", msg, json!({"origin": origin}))?;
        }
        return Ok(None);
    }
    let own = ctx.project.variable(service, "PGOPTIONS").map_or(String::new(), |own| format!("{own} "));
    Ok(Some(format!("PGOPTIONS={own}-c lock_timeout={}", limit.unwrap_or(LOCK_TIMEOUT).as_millis())))
}

/// A container of its own, without what it depends on, gone when it has ended; its exit code is Compose's.
fn one_off(compose: &Compose, service: &str, run: &str, environment: &[&str]) -> Command {
    let label = format!("{RUN_LABEL}={run}");
    let mut words = vec!["--progress", "quiet", "run", "--rm", "-T", "--no-deps", "--label", &label];
    words.extend(environment.iter().flat_map(|variable| ["-e", variable]));
    words.push(service);
    compose.command(&words)
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
    environment: &[&str],
) -> Result<Command, MigrateError> {
    let words = project.settings().string((!given.is_empty()).then(|| given.to_owned()), "migrate_exec")?;
    let words = words.unwrap_or_else(|| DEFAULT_EXEC.to_owned());
    let mut command = Command::new("docker");
    command.arg("exec").args(environment.iter().flat_map(|variable| ["-e", variable])).arg(&container.id);
    command.args(words.split_whitespace());
    Ok(command)
}

/// Migrators of this project that are still there: made by us in this or an earlier run, or by hand.
pub(crate) fn left_behind(project: &Project, engine: &Engine) -> Result<Vec<Container>, tg_core::Error> {
    let mut found = engine.containers(&project.name, &project.migrate)?;
    found.retain(|container| container.one_off && container.running());
    Ok(found)
}
