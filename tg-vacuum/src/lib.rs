//! tg-vacuum: database maintenance that stays out of everybody's way.

mod analyze;
mod bloat;
mod blockers;
mod board;
mod choice;
mod cli;
mod conclusion;
mod count;
mod cycle;
mod database;
mod disk;
mod ended;
mod error;
mod freeze;
mod grid;
mod halves;
mod holder;
mod maintain;
mod notice;
mod outcome;
mod overseer;
mod proof;
mod queue;
mod reindex;
mod repack;
mod report;
mod run;
mod server;
mod statement;
mod summary;
mod table;
mod text;
mod times;
mod verbose;
mod window;
mod worth;

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
        Some(Command::Analyze(flags)) => analyze::analyze(session, &cli.database, flags),
        Some(Command::Repack(flags)) => repack::repack(session, &cli.database, flags),
        Some(Command::Reindex(flags)) => reindex::reindex(session, &cli.database, flags),
        Some(Command::Blockers(flags)) => blockers::blockers(session, &cli.database, flags),
        Some(Command::Report(flags)) => report::report(session, &cli.database, flags),
        None => run::run(session, &cli.database, &cli.run),
    }
}
