//! Runs the application's own migrations: the one-shot of the *target* release, once, with its
//! exit code kept, its lines as records, and the truth about what changed.

mod abort;
mod changed;
mod cli;
mod error;
mod mark;
mod migrator;
mod reason;
mod run;
mod schema;

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
    })
}
