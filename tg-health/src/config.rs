//! What the flags, the environment and the compose file come to, checked before anything is asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tg_core::deadline::Deadline;
use tg_core::engine::Engine;
use tg_core::health::token::{self, Origin, Token};
use tg_core::health::{Expect, Manners, Prober, Release};
use tg_core::project::Project;
use tg_core::redact::Redactor;
use tg_core::settings::{Settings, process_env};
use tg_core::{Error as CoreError, Session};

use crate::away;
use crate::cli::{Cli, Http, Instances};
use crate::error::Error;
use crate::http;
use crate::seat::Streaks;
use crate::services::Services;
use crate::source::{All, Fixed, Source};
use crate::stack::Stack;
use crate::target::{Given, Target};

/// A checked configuration.
pub(crate) struct Config {
    /// `None`: every target is asked once.
    pub(crate) wait: Option<Duration>,
    /// When to give up: the shorter of `--wait` and `--timeout`.
    pub(crate) deadline: Deadline,
    pub(crate) streaks: Streaks,
    /// One ready target is enough.
    pub(crate) any: bool,
    pub(crate) probe_timeout: Duration,
    expect: Expect,
    manners: Manners,
    token: Option<Token>,
}

impl Config {
    /// Checks everything that can be wrong before the first probe, and finds what to ask.
    pub(crate) fn check(session: &Session, cli: &Cli) -> Result<(Self, Box<dyn Source>), Error> {
        let redactor = session.emit.redactor();
        let (source, token_file) = find_source(session, cli)?;
        let token = read_token(token_file, redactor)?;
        let config = Config {
            wait: cli.wait,
            deadline: deadline(session, cli),
            streaks: Streaks { rise: cli.rise, fall: cli.fall },
            any: cli.any,
            probe_timeout: cli.probe_timeout,
            expect: expected(&cli.http),
            manners: http::manners(&cli.http, redactor)?,
            token,
        };
        Ok((config, source))
    }

    /// One that waits so long.
    #[cfg(test)]
    pub(crate) fn waiting(limit: Duration) -> Self {
        Config {
            wait: Some(limit),
            deadline: Deadline::after(Some(limit)),
            streaks: Streaks { rise: 1, fall: 1 },
            any: false,
            probe_timeout: limit,
            expect: Expect::default(),
            manners: Manners::default(),
            token: None,
        }
    }

    /// Asks over HTTP as the flags say.
    pub(crate) fn prober(&self, redactor: &Arc<Redactor>) -> Prober {
        prober(self.token.as_ref(), self.expect.clone(), redactor, self.manners.clone())
    }

    /// The release that must answer.
    pub(crate) fn release(&self) -> Option<&str> {
        match &self.expect.release {
            Release::Exactly(version) | Release::IfTold(version) => Some(version),
            Release::Any => None,
        }
    }

    /// For the first line.
    pub(crate) fn facts(&self, targets: &[Target]) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "targets": targets.iter().map(|t| &t.name).collect::<Vec<_>>(),
            "wait_ms": self.wait.map(|w| w.as_millis()),
            "rise": self.streaks.rise,
            "fall": self.streaks.fall,
            "any": self.any,
            "probe_timeout_ms": self.probe_timeout.as_millis(),
            "expect_version": self.release(),
            "token": self.token.is_some(),
        })
    }
}

/// Asks over HTTP in this tool's name.
pub(crate) fn prober(
    token: Option<&Token>,
    expect: Expect,
    redactor: &Arc<Redactor>,
    manners: Manners,
) -> Prober {
    let user_agent = concat!("tg-health/", env!("CARGO_PKG_VERSION"));
    Prober::with_manners(user_agent, token, expect, redactor, manners)
}

pub(crate) fn expected(http: &Http) -> Expect {
    Expect {
        release: http.expect_version.clone().map_or(Release::Any, Release::Exactly),
        status: http.expect_status.clone(),
        json: http.expect_json.clone(),
        body: http.expect_body.clone(),
    }
}

pub(crate) type TokenFile = Option<(PathBuf, Origin)>;

/// The targets of the command line, else those of the project. With URLs alone no compose file is read: the
/// token of a project goes to the project alone, unless the user names it.
fn find_source(session: &Session, cli: &Cli) -> Result<(Box<dyn Source>, TokenFile), Error> {
    if !cli.targets.is_empty() {
        let (mut targets, mut services) = (Vec::new(), Vec::new());
        for word in &cli.targets {
            match Given::parse(word)? {
                Given::Target(target) => targets.push(target),
                Given::Service(name) => services.push(name),
            }
        }
        http::must_be_asked(&cli.http, &targets)?;
        let settings = Settings::new(&process_env, Map::new())?;
        let base = session.shared.project_directory.clone().unwrap_or_default();
        let token = token_file(&cli.http, &settings, |text| base.join(text))?;
        let mut all: Vec<Box<dyn Source>> = vec![Box::new(Fixed(targets))];
        if !services.is_empty() {
            let project = Project::load(session)?;
            all.push(Box::new(Services::new(
                &project,
                connect(session, cli)?,
                &services,
                session.emit.redactor(),
            )?));
        }
        return Ok((Box::new(All(all)), token));
    }
    let project = Project::load(session)?;
    let token = token_file(&cli.http, &project.settings(), |text| project.path(text))?;
    let public = Target::url(&project.health_url()?);
    let source: Box<dyn Source> = match cli.instances {
        Instances::No => Box::new(Fixed(vec![public])),
        Instances::Yes => {
            Box::new(Stack::new(&project, connect(session, cli)?, public, session.emit.redactor())?)
        }
    };
    Ok((source, token))
}

/// The engine; one that restarts is waited for where we wait.
fn connect(session: &Session, cli: &Cli) -> Result<Engine, Error> {
    let ask = || Ok(Engine::connect(&session.bounds())?);
    if cli.wait.is_none() { ask() } else { away::outlast(session, deadline(session, cli), ask) }
}

/// When to give up: the shorter of `--wait` and `--timeout`.
fn deadline(session: &Session, cli: &Cli) -> Deadline {
    Deadline::after([cli.wait, session.deadline.left()].into_iter().flatten().min())
}

/// The token in a file, which from then on nobody repeats.
pub(crate) fn read_token(file: TokenFile, redactor: &Redactor) -> Result<Option<Token>, CoreError> {
    let token = file.map(|(path, origin)| token::read(&path, origin)).transpose()?;
    if let Some(token) = &token {
        redactor.learn(token.secret());
    }
    Ok(token)
}

pub(crate) fn token_file(
    http: &Http,
    settings: &Settings,
    place: impl Fn(&str) -> PathBuf,
) -> Result<TokenFile, CoreError> {
    if let Some(path) = &http.token_file {
        return Ok(Some((path.clone(), Origin::Flag)));
    }
    let path = settings.get(None, "health_token_file", |text| Ok(place(text)))?;
    Ok(path.map(|path| (path, Origin::Setting)))
}
