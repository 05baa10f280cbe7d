//! Moves the application's services to another release, and back to the very images that ran.

mod before;
mod cli;
mod effects;
mod error;
mod gate;
mod plan;
mod pull;
mod rollback;
mod stale;
mod start;
mod status;
mod stop;

use std::process::ExitCode;

use tg_core::session;

use crate::cli::Action;

/// The tool's name on every line.
const TOOL: &str = "tg-swap";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the tool.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match tg_core::cli::parse::<cli::Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    session::conduct(TOOL, VERSION, &cli.shared, |session| match &cli.action {
        Action::Pull(to) => pull::run(session, &cli, to),
        Action::Stop(which) => stop::run(session, &cli, which),
        Action::Start { which, to } => start::run(session, &cli, which, to),
        Action::Status => status::run(session),
        Action::Rollback { which, to_run } => rollback::run(session, &cli, which, to_run.as_deref()),
    })
}
