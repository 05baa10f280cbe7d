//! Runs the application's own migrations: the one-shot of the *target* release, once, with its
//! exit code kept, its lines as records, and the truth about what changed.

mod abort;
mod advisory;
mod attempt;
mod catalog;
mod changed;
mod cli;
mod compat;
mod context;
mod diff;
mod error;
mod gate;
mod guard;
mod mark;
mod migrator;
mod outcome;
mod preflight;
mod reason;
mod rehearse;
mod rehearsed;
mod remains;
mod run;
mod snapshot;
mod status;
mod watch;

use std::process::ExitCode;

use tg_core::session;

/// The tool's name on every line.
const TOOL: &str = "tg-migrate";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the tool.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match tg_core::cli::parse::<cli::Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    session::conduct(TOOL, VERSION, &cli.shared, |session| match &cli.action {
        None => run::run(session, &cli),
        Some(cli::Action::Changed) => changed::run(session, &cli),
        Some(cli::Action::Abort) => abort::run(session),
        Some(cli::Action::Snapshot) => snapshot::run(session, &cli),
        Some(cli::Action::Diff(options)) => diff::run(session, &cli, options),
        Some(cli::Action::Rehearse(options)) => rehearse::run(session, &cli, options),
        Some(cli::Action::Rehearsed(options)) => rehearsed::run(session, &cli, options),
        Some(cli::Action::Preflight(options)) => preflight::run(session, &cli, options),
        Some(cli::Action::Status) => status::run(session, &cli),
    })
}
