//! tg-vacuum: database maintenance that stays out of everybody's way.

mod cli;
mod database;
mod error;
mod grid;
mod maintain;
mod notice;
mod outcome;
mod plan;
mod report;
mod run;
mod summary;
mod table;
mod text;

use std::process::ExitCode;

use tg_core::{Answer, Session};

use crate::cli::{Cli, Command};
use crate::error::Error;

/// Runs the tool.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match tg_core::cli::parse::<Cli>() {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    tg_core::session::conduct("tg-vacuum", env!("CARGO_PKG_VERSION"), &cli.shared, |session| {
        body(session, &cli)
    })
}

fn body(session: &Session, cli: &Cli) -> Result<Answer, Error> {
    match &cli.command {
        Some(Command::Report(_)) if cli.run.given() => Err(Error::RunFlags),
        Some(Command::Report(flags)) => report::report(session, &cli.database, flags),
        None => run::run(session, &cli.database, &cli.run),
    }
}
