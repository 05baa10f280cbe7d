//! The command line.

use clap::{Parser, Subcommand};
use tg_core::cli::Shared;
use tg_core::database::DatabaseFlags;

/// The command that the vendor's guide gives for migrating by hand.
pub(crate) const DEFAULT_EXEC: &str = "node dist/scripts/migrate.js";

/// Run the application's own migrations, and say what they changed
///
/// Runs the one-shot service (db-setup) of the target release through `docker compose run --rm`,
/// never the code of the container that is up. Exit 0 when it ended well, 3 when it failed and the
/// database is as before, 5 when it failed and left changes; its own exit code is in the result.
#[derive(Parser, Debug)]
#[command(name = crate::TOOL, version, after_long_help = tg_core::cli::EXIT_STATUS)]
pub(crate) struct Cli {
    /// Release whose migrations to run [default: the one in the project's files]
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,

    /// Run the command in the API container that is up instead, and refuse unless that container
    /// is of the target release [x-tg: migrate_exec] [default command: node dist/scripts/migrate.js]
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub exec: Option<String>,

    /// Say what would be run, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    #[command(subcommand)]
    pub action: Option<Action>,

    #[command(flatten)]
    pub database: DatabaseFlags,

    #[command(flatten)]
    pub shared: Shared,
}

/// What else can be asked.
#[derive(Subcommand, Debug)]
pub(crate) enum Action {
    /// Has the migration of this run changed the database? 0 yes, 1 no
    ///
    /// Reads the journal of the run that --run-id names. Where a killed migration left no outcome,
    /// the database's catalog and transaction counter are compared with those from before it.
    Changed,
    /// End a migrator that a killed run left behind
    Abort,
}
