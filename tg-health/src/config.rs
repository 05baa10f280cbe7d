//! What the flags, the environment and the compose file come to, checked before anything is asked.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tg_core::deadline::Deadline;
use tg_core::engine::Engine;
use tg_core::health::token::{self, Origin, Token};
use tg_core::project::Project;
use tg_core::settings::{Settings, process_env};
use tg_core::{Error as CoreError, Session};

use crate::cli::{Cli, Instances};
use crate::error::Error;
use crate::source::{Given, Source};
use crate::stack::{Stack, public_target};
use crate::target::Target;

/// A checked configuration.
pub(crate) struct Config {
    /// `None`: every target is asked once.
    pub(crate) wait: Option<Duration>,
    /// When to give up: the shorter of `--wait` and `--timeout`.
    pub(crate) deadline: Deadline,
    pub(crate) rise: u32,
    pub(crate) probe_timeout: Duration,
    pub(crate) expect_version: Option<String>,
    pub(crate) token: Option<Token>,
}

impl Config {
    /// Checks everything that can be wrong before the first probe, and finds what to ask.
    pub(crate) fn check(session: &Session, cli: &Cli) -> Result<(Self, Box<dyn Source>), Error> {
        let (source, token_file) = find_source(session, cli)?;
        let token = token_file.map(|(path, origin)| token::read(&path, origin)).transpose()?;
        if let Some(token) = &token {
            session.emit.redactor().learn(token.secret());
        }
        let limit = [cli.wait, session.deadline.left()].into_iter().flatten().min();
        let config = Config {
            wait: cli.wait,
            deadline: Deadline::after(limit),
            rise: cli.rise,
            probe_timeout: cli.probe_timeout,
            expect_version: cli.expect_version.clone(),
            token,
        };
        Ok((config, source))
    }

    /// For the first line.
    pub(crate) fn facts(&self, targets: &[Target]) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "targets": targets.iter().map(|t| &t.name).collect::<Vec<_>>(),
            "wait_ms": self.wait.map(|w| w.as_millis()),
            "rise": self.rise,
            "probe_timeout_ms": self.probe_timeout.as_millis(),
            "expect_version": self.expect_version,
            "token": self.token.is_some(),
        })
    }
}

type TokenFile = Option<(PathBuf, Origin)>;

/// The URLs of the command line, else those of the project. With URLs no compose file is read: the
/// token of a project goes to the project alone, unless the user names it.
fn find_source(session: &Session, cli: &Cli) -> Result<(Box<dyn Source>, TokenFile), Error> {
    if !cli.urls.is_empty() {
        let targets = cli.urls.iter().map(|url| Target::given(url)).collect::<Result<Vec<_>, _>>()?;
        let settings = Settings::new(&process_env, Map::new())?;
        let base = session.shared.project_directory.clone().unwrap_or_default();
        let token = token_file(cli, &settings, |text| base.join(text))?;
        return Ok((Box::new(Given(targets)), token));
    }
    let project = Project::load(session)?;
    let token = token_file(cli, &project.settings(), |text| project.path(text))?;
    let public = public_target(&project)?;
    let source: Box<dyn Source> = match cli.instances {
        Instances::No => Box::new(Given(vec![public])),
        Instances::Yes => {
            Box::new(Stack::new(&project, Engine::connect()?, public, session.emit.redactor())?)
        }
    };
    Ok((source, token))
}

fn token_file(
    cli: &Cli,
    settings: &Settings,
    place: impl Fn(&str) -> PathBuf,
) -> Result<TokenFile, CoreError> {
    if let Some(path) = &cli.token_file {
        return Ok(Some((path.clone(), Origin::Flag)));
    }
    let path = settings.get(None, "health_token_file", |text| Ok(place(text)))?;
    Ok(path.map(|path| (path, Origin::Setting)))
}
