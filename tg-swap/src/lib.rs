//! Moves the application's services to another release, and back to the very images that ran.

mod before;
mod bring_up;
mod cli;
mod dependencies;
mod direct;
mod effects;
mod error;
mod finding;
mod forecast;
mod gate;
mod held;
mod init;
mod judge;
mod library;
mod lint;
mod model;
mod notes;
mod outdated;
mod patience;
mod plan;
mod proof;
mod pull;
mod ready;
mod registry;
mod rollback;
mod stale;
mod start;
mod status;
mod stop;
mod succession;
mod swap;

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
        None => swap::run(session, &cli, &cli.to, &cli.options),
        Some(Action::Resume) => swap::resume(session, &cli),
        Some(Action::Abort) => swap::abort(session, &cli),
        Some(Action::Commit { after }) => swap::commit(session, &cli, *after),
        Some(Action::Plan(to)) => forecast::run(session, to),
        Some(Action::Pull(to)) => pull::run(session, &cli, to),
        Some(Action::Stop(which)) => stop::run(session, &cli, which),
        Some(Action::Start { which, to }) => start::run(session, &cli, which, to),
        Some(Action::Status) => status::run(session),
        Some(Action::Init(init)) => init::run(session, &cli, init),
        Some(Action::Outdated { only }) => outdated::run(session, only),
        Some(Action::Rollback { which, to, pace }) => {
            rollback::run(session, &cli, which, to.as_deref(), pace)
        }
    })
}
