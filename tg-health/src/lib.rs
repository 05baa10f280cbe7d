//! tg-health: is it well? Once, or waiting until it is.

mod ask;
mod away;
mod cli;
mod config;
mod crash;
mod error;
mod http;
mod log;
mod metrics;
mod pace;
mod report;
mod review;
mod seat;
mod services;
mod source;
mod stack;
mod standing;
mod statistics;
mod target;
mod wait;
mod watch;

use std::process::ExitCode;

use tg_core::{Answer, Session};

use crate::cli::{Action, Cli};
use crate::config::Config;
use crate::error::Error;

/// Runs the tool.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match tg_core::cli::parse::<Cli>() {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    tg_core::session::conduct("tg-health", env!("CARGO_PKG_VERSION"), &cli.shared, |session| {
        body(session, &cli)
    })
}

fn body(session: &Session, cli: &Cli) -> Result<Answer, Error> {
    if let Some(action) = &cli.action {
        if !cli.targets.is_empty() {
            return Err(tg_core::Error::Usage {
                problem: "a target before a command".into(),
                hint: "name it after the command".into(),
            }
            .into());
        }
        return match action {
            Action::Review(args) => review::run(session, args),
            Action::Watch(args) => watch::run(session, args),
        };
    }
    let (config, mut source) = Config::check(session, cli)?;
    let targets = match config.wait {
        Some(_) => away::outlast(session, config.deadline, || source.targets())?,
        None => source.targets()?,
    };
    session.emit.start(&report::opening(&config, &targets), config.facts(&targets))?;
    wait::until_ready(session, &config, source.as_mut(), targets)
}
