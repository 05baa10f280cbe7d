//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tg_core::cli::Shared;
use tg_core::database::DatabaseFlags;

/// The command that the vendor's guide gives for migrating by hand.
pub(crate) const DEFAULT_EXEC: &str = "node dist/scripts/migrate.js";

/// How old a backup may be, where nobody says it.
pub(crate) const BACKUP_MAX_AGE: Duration = Duration::from_hours(24);
/// How long others may wait behind a migrator that waits itself.
pub(crate) const MAX_BLOCK: Duration = Duration::from_secs(2);
/// Of the migrator's sessions. A concurrent index waits for every older transaction, and holds nobody up by it.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

/// Run the application's own migrations, and say what they changed
///
/// Runs the one-shot service (db-setup) of the target release through `docker compose run --rm`,
/// never the code of the container that is up. Exit 0 when it ended well, 3 when it failed and the
/// database is as before, 5 when it failed and left changes; its own exit code is in the result.
#[derive(Parser, Debug)]
#[command(name = crate::TOOL, version, after_long_help = tg_core::cli::EXIT_STATUS)]
pub(crate) struct Cli {
    /// Release whose migrations to run [default: the one in the project's files]
    #[arg(long, value_name = "VERSION", global = true)]
    pub to: Option<String>,

    /// Run the command in the API container that is up instead, and refuse unless that container
    /// is of the target release [x-tg: migrate_exec] [default command: node dist/scripts/migrate.js]
    #[arg(long, value_name = "COMMAND", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub exec: Option<String>,

    /// How long others may wait behind the migrator while it waits for a lock itself; then it is cancelled
    /// [x-tg: max_block] [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub max_block: Option<Duration>,

    /// How long it may wait for a lock whoever waits behind it: lock_timeout of its sessions, for the case that
    /// nobody is left to watch; 0 is for ever [x-tg: migrate_lock_timeout] [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub lock_timeout: Option<Duration>,

    /// Verdict of a rehearsal: refuse when its backup is gone, image or schema are others by now, or the migration failed
    #[arg(long, value_name = "FILE")]
    pub rehearsal: Option<PathBuf>,

    /// How often to begin anew after it was cancelled or timed out waiting for a lock [default: 5 where the
    /// rehearsal has shown that a run after one that was cut off ends well, else 0]
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,

    /// How old the proven backup may be without which nothing is migrated
    /// [x-tg: backup_max_age] [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration)]
    pub backup_max_age: Option<Duration>,

    /// Where backups are [env: TG_BACKUP_DIR] [x-tg: backup_dir] [default: ./backups]
    #[arg(long, value_name = "DIR", global = true)]
    pub backup_dir: Option<PathBuf>,

    /// What else would be refused
    #[arg(long, value_name = "WHAT")]
    pub accept: Vec<Accept>,

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

/// What is refused unless it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accept {
    /// No backup at all
    NoBackup,
    /// A backup that was never proven
    UnverifiedBackup,
    /// A backup that holds no tables, such as that of a project before its first migration
    EmptyDatabase,
    /// Another database than the one that the application's own connection names
    OtherDatabase,
    /// What tg-migrate preflight says would hold the migration up
    Blockers,
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
    /// Print the database's catalog as records with one hash, to keep and to compare with
    ///
    /// Every kind of object that pg_dump writes: each row of each system catalog that describes the database, with names in place of
    /// object identifiers. Two databases made from the same statements have the same hash. What a dump does not bring back as it was
    /// (tablespaces, versions of extensions, whether a subscription is enabled, large objects, roles and their settings) is in "here", and
    /// counts where both snapshots are of one database on one server: hash_here. Data and statistics are left out, and a value
    /// that may be a password is told by a mark of 16 bits.
    Snapshot,
    /// Does code made for one snapshot work on another, or on the database? 0 yes, 1 no
    ///
    /// Prints each difference with its class: compatible, risky, or breaking with the reason. The rules
    /// know nothing of what the code does; tg-migrate rehearse does.
    Diff(DiffOptions),
    /// Try the migration on a backup: what it does, whether it keeps its promises, whether the old release goes on
    ///
    /// Restores the newest proven backup into a throwaway server, runs the migrations of --to there, runs them again,
    /// kills them and runs them again; then the old release's statements and images on the new schema. The verdict
    /// is a file that pins backup, images and schema. Exit 0 when it is proven that the old release goes on with
    /// the new schema, 1 when it is not. Nothing of the project is changed.
    Rehearse(RehearseOptions),
    /// Has a rehearsal proven that what runs goes on with the schema of --to, and is it still of what is here? 0 yes, 1 no
    ///
    /// Looks at the newest verdict of that release: its database, the schema, which must be the one before the
    /// migration or the one after it, and the images of both releases.
    Rehearsed(RehearsedOptions),
    /// What would hold a migration up now: 0 nothing, 1 something
    ///
    /// Long and idle transactions, dumps, prepared transactions, a vacuum that prevents wraparound, other
    /// migrators, failed migrations, stuck locks; invalid indexes as a note. Each with pid, age, user and query.
    Preflight(PreflightOptions),
    /// What migrators have written down: applied, failed, stuck; 1 when one failed or is stuck
    ///
    /// Their tables are found by their columns, never by their names.
    Status,
}

#[derive(Args, Debug)]
pub(crate) struct RehearseOptions {
    /// The release that goes on meanwhile [default: the one that runs]
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,

    /// The backup [default: the newest proven one of the database]
    #[arg(long, value_name = "ID")]
    pub backup: Option<String>,

    /// Take the newest backup, proven or not
    #[arg(long)]
    pub unverified: bool,

    /// Where to write the verdict [default: rehearsals/RUN.json in the state directory]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// How often to kill the migrator and run it again [default: up to 6 times in 25 s, and twice where that takes longer]
    #[arg(long, value_name = "N")]
    pub kills: Option<usize>,

    /// Exit 0 also when nothing speaks against it and it is not proven
    #[arg(long)]
    pub accept_no_counterexample: bool,

    /// File with an age identity, for a backup that is encrypted [x-tg: age_identity_file]
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,

    /// Memory of the throwaway server, bytes [default: half of what the host has left, 2 GiB at most]
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct RehearsedOptions {
    /// Image that is to go on, sha256:…; repeatable [default: those that run and are not of --to]
    #[arg(long, value_name = "ID")]
    pub from_image: Vec<String>,

    /// Exit 0 also when nothing speaks against it and it is not proven
    #[arg(long)]
    pub accept_no_counterexample: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PreflightOptions {
    /// How old a transaction must be to be in the way
    #[arg(long, value_name = "DURATION", value_parser = tg_core::cli::duration, default_value = "30s")]
    pub blocker_age: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct DiffOptions {
    /// A snapshot, as `tg-migrate snapshot` printed it; - is stdin
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,

    /// A later one [default: the database as it is]
    #[arg(value_name = "AFTER")]
    pub after: Option<PathBuf>,

    /// Any difference is a no
    #[arg(long)]
    pub equal: bool,
}
