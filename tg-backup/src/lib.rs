//! Keeps a database and brings it back: dumps that carry the proof of their content, rollback points
//! that are back in milliseconds, and a restore that never touches the live database until the new
//! one is complete.

mod answer;
mod backends;
mod baseline;
mod belongings;
mod bound;
mod catalog;
mod census;
mod check;
mod cli;
mod clients;
mod cluster;
mod commit;
mod compare;
mod computed;
mod context;
mod create;
mod dump;
mod error;
mod facts;
mod fresh;
mod globals;
mod host;
mod list;
mod locks;
mod loss;
mod mark;
mod names;
mod physical;
mod plan;
mod point;
mod preflight;
mod prometheus;
mod prune;
mod publish;
mod push;
mod recovery;
mod remote;
mod restore;
mod s3;
mod sidecar;
mod snapshot;
mod source;
mod standoff;
mod swap;
mod taken;
mod tally;
mod undo;
mod verify;
mod watcher;
mod way_back;

use std::process::ExitCode;

use tg_core::session;

use crate::cli::{Action, Cli, PointAction};

/// The tool's name on every line.
const TOOL: &str = "tg-backup";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the tool.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match tg_core::cli::parse::<Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    session::conduct(TOOL, VERSION, &cli.shared, |session| match &cli.action() {
        Action::Create(options) => create::run(session, &cli, options),
        Action::Verify(options) => verify::run(session, &cli, options),
        Action::Plan => plan::run(session, &cli),
        Action::Databases(options) => census::run(session, &cli, options),
        Action::Push(which) => push::push(session, &cli, which),
        Action::Fetch(which) => push::fetch(session, &cli, which),
        Action::Check(options) => check::run(session, &cli, options),
        Action::Prune(options) => prune::run(session, &cli, options),
        Action::List(options) => list::run(session, &cli, options),
        Action::Point { action: PointAction::Create } => point::create(session, &cli),
        Action::Point { action: PointAction::Drop { id } } => point::drop(session, &cli, id.as_deref()),
        Action::Point { action: PointAction::List } => point::list(session, &cli),
        Action::Point { action: PointAction::Restore(options) } => restore::point(session, &cli, options),
        Action::Restore(options) => restore::run(session, &cli, options),
        Action::Undo(options) => undo::run(session, &cli, options),
        Action::Commit(options) => commit::run(session, &cli, options),
    })
}
