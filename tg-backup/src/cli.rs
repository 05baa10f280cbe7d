//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tg_core::backup::Depth;
use tg_core::backup::Method;
use tg_core::cli::{Shared, duration};
use tg_core::database::DatabaseFlags;

use crate::belongings;
use crate::prune::policy::Policy;

/// How long the dump waits for a table that somebody else holds.
const DEFAULT_LOCK_WAIT: &str = "30s";
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Keep the database, and bring it back
///
/// Without a command it makes a backup: a dump by the clients of the database service's own image,
/// with exact row counts from the dump's own snapshot and a hash of every file. A backup exists only
/// when it is complete. Exit 3 means that nothing was changed.
#[derive(Parser, Debug)]
#[command(name = crate::TOOL, version, after_long_help = tg_core::cli::EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub action: Option<Action>,

    /// Where backups live [env: TG_BACKUP_DIR] [x-tg: backup_dir] [default: backups beside the compose file]
    #[arg(long, value_name = "DIR", global = true)]
    pub backup_dir: Option<PathBuf>,

    /// File with the age identity that reads encrypted backups [env: TG_AGE_IDENTITY_FILE]
    /// [x-tg: age_identity_file]
    #[arg(long, value_name = "FILE", global = true)]
    pub identity: Option<PathBuf>,

    /// Say what would be done, and change nothing
    #[arg(short = 'n', long, global = true)]
    pub dry_run: bool,

    #[command(flatten)]
    pub database: DatabaseFlags,

    #[command(flatten)]
    pub shared: Shared,
}

impl Cli {
    /// The command, `create` where none is named.
    pub(crate) fn action(&self) -> Action {
        self.action.clone().unwrap_or(Action::Create(CreateOptions::default()))
    }
}

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Action {
    /// Make a backup (the default)
    Create(CreateOptions),
    /// Prove a backup: restore it into a throwaway server and compare every table
    ///
    /// The server is of the very image that made the backup, without a network, with a volume of its
    /// own, and gone afterwards. Exit 0: verified. Exit 1: not restorable, and why. Any other: it
    /// could not be tried, which says nothing about the backup.
    Verify(VerifyOptions),
    /// How long a backup, a rollback point and each way back would take here
    Plan,
    /// Which databases does the server have, and is the one that is backed up the application's? Exit 0: yes. Exit 1: no
    ///
    /// Prints one record a database. The answer is no when ours has no tables, when the application's own connection
    /// names another one, or when its containers have sessions in another one alone.
    Databases(DatabasesOptions),
    /// Show backups and rollback points, newest first
    List(ListOptions),
    /// Copy to the store what is not there yet; `create` does so by itself
    Push(WhichBackup),
    /// Bring a copy back from the store; `verify` and `restore` do so by themselves
    Fetch(WhichBackup),
    /// Is there a backup to rely on? Exit 0: yes. Exit 1: no, and why
    ///
    /// For gates, such as `tg-backup check --max-age 24h --verified && …`, and for monitors.
    Check(CheckOptions),
    /// Remove backups that no rule keeps, in restic's words
    ///
    /// Only verified backups count. The newest verified one, those that an unfinished upgrade needs, and
    /// those that are newer than any verified one always stay. With --dry-run it shows the verdict on each.
    Prune(PruneOptions),
    /// Rollback points: copies inside the server, back in milliseconds, but no backups
    Point {
        #[command(subcommand)]
        action: PointAction,
    },
    /// Bring a backup or a rollback point back
    ///
    /// A backup is restored into a fresh database and compared with its manifest; only then
    /// connections are closed and the databases change names. The old one is kept until `commit`.
    /// Exit 6 when rows written since would be lost and --accept-data-loss is not given.
    Restore(RestoreOptions),
    /// Swap the database that the last restore replaced back in
    Undo(KeptOptions),
    /// Drop the databases that restores replaced
    ///
    /// Exit 6 while replication slots or subscriptions would be dropped with them and --accept does not name them.
    Commit(CommitOptions),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct CreateOptions {
    /// How long to wait for a table that somebody else has locked, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_LOCK_WAIT)]
    pub lock_wait: Duration,

    /// What is kept of each table to compare a restored one with, all of it read in the dump's own
    /// snapshot: nothing, its rows counted, or a hash of its content too
    /// [x-tg: tables_hash] [default: full with --verify or where a processor is idle, else count]
    #[arg(long, value_name = "DEPTH", value_enum)]
    pub tables_hash: Option<Depth>,

    /// How it is made [x-tg: backup_method] [default: dump]
    #[arg(long, value_name = "METHOD", value_enum)]
    pub method: Option<Method>,

    /// Only what has changed since the newest backup of the whole server; PostgreSQL 17 and later,
    /// with summarize_wal
    #[arg(long)]
    pub incremental: bool,

    /// Workers of the dump [default: as many as the sizes of the tables keep busy]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub jobs: Option<u8>,

    /// Prove it as well, as `verify` does; the throwaway server starts while the dump goes on
    #[arg(long)]
    pub verify: bool,

    /// Memory of that server, such as 2g [default: half of what the host has left, 2 GiB at most]
    #[arg(long, value_name = "SIZE", value_parser = bytes, requires = "verify")]
    pub memory: Option<u64>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct WhichBackup {
    /// A backup, as `list` shows it [default: the newest of this database; of `push` all that wait]
    pub id: Option<String>,

    /// The one that this run made
    #[arg(long, value_name = "RUN", conflicts_with = "id")]
    pub run: Option<String>,
}

/// What is a no unless it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Accept {
    /// A database without tables, such as that of a project before its first migration
    EmptyDatabase,
    /// Another database than the one that the application's own connection names
    OtherDatabase,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct DatabasesOptions {
    /// What else would be a no
    #[arg(long, value_name = "WHAT")]
    pub accept: Vec<Accept>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct CheckOptions {
    /// What else would be a no
    #[arg(long, value_name = "WHAT")]
    pub accept: Vec<Accept>,

    /// No older than this, such as 24h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_age: Option<Duration>,

    /// One that was proven, by `verify`
    #[arg(long)]
    pub verified: bool,

    /// One of which there is a copy in the store
    #[arg(long)]
    pub stored: bool,

    /// Read its files here again and compare them with their hashes
    #[arg(long)]
    pub intact: bool,

    /// Write the answer and its figures to this file for node_exporter's textfile collector too
    #[arg(long, value_name = "FILE")]
    pub prometheus: Option<PathBuf>,
}

/// Where backups are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Places {
    /// In the directory.
    Local,
    /// In the store.
    Store,
    /// In both.
    #[default]
    Both,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct PruneOptions {
    #[command(flatten)]
    pub policy: Policy,

    /// Where: in the directory, in the store, or in both, each judged for itself
    #[arg(long, value_name = "PLACE", value_enum, default_value_t)]
    pub r#in: Places,

    /// Of every database in the directory, each for itself, instead of this project's alone
    #[arg(long)]
    pub all_databases: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct VerifyOptions {
    #[command(flatten)]
    pub which: WhichBackup,

    /// Image of the throwaway server [default: the one that made the backup]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,

    /// Memory of the throwaway server, such as 2g [default: half of what the host has left, 2 GiB at most]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<u64>,
}

/// Reads a size as Docker does: a number of bytes, or one with k, m or g.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.to_ascii_lowercase().strip_suffix(['k', 'm', 'g']) {
        Some(number) => (number.to_owned(), text.chars().last().map_or('b', |c| c.to_ascii_lowercase())),
        None => (text.to_owned(), 'b'),
    };
    let factor = match unit {
        'k' => 1 << 10,
        'm' => 1 << 20,
        'g' => 1 << 30,
        _ => 1,
    };
    let bytes = number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
    bytes.filter(|b| *b > 0).ok_or_else(|| "write it as 512m or 2g".into())
}

impl Default for CreateOptions {
    fn default() -> Self {
        CreateOptions {
            lock_wait: LOCK_WAIT,
            tables_hash: None,
            method: None,
            incremental: false,
            jobs: None,
            verify: false,
            memory: None,
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ListOptions {
    /// Read every file again and compare it with its hash; exit 1 when one is not intact
    #[arg(long)]
    pub check: bool,
}

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum PointAction {
    /// Copy the database inside its server; the application must be stopped
    Create,
    /// Show the rollback points, newest first
    List,
    /// Bring a rollback point back, the newest where none is named
    Restore(PointRestoreOptions),
    /// Drop a rollback point
    Drop {
        /// Which; without it every point of this database
        id: Option<String>,
    },
}

#[derive(Args, Clone, Debug)]
pub(crate) struct PointRestoreOptions {
    /// Which; without it the newest
    pub id: Option<String>,

    /// Restore although rows that were written since are lost
    #[arg(long)]
    pub accept_data_loss: bool,
}

#[derive(Args, Clone, Debug, Default)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["id", "run", "latest"]))]
pub(crate) struct RestoreOptions {
    /// A backup or a rollback point, as `list` shows it
    pub id: Option<String>,

    /// What this run made: its rollback point, else its backup
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,

    /// Do nothing where the database is as it was when the rollback point was made, by the server's own transactions
    #[arg(long)]
    pub if_changed: bool,

    /// The newest there is
    #[arg(long)]
    pub latest: bool,

    /// Restore although rows that were written since are lost
    #[arg(long)]
    pub accept_data_loss: bool,

    /// Count as lost what this transaction and later ones wrote [default: everything since the
    /// source was made, without what the migration of its run wrote]
    #[arg(long, value_name = "N")]
    pub since_xid: Option<u64>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct KeptOptions {
    /// Only what the restore of this run replaced
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct CommitOptions {
    #[command(flatten)]
    pub kept: KeptOptions,

    /// What may be dropped together with the database that it belongs to
    #[arg(long, value_name = "WHAT", value_enum)]
    pub accept: Vec<belongings::Accept>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_lock_wait_is_what_the_help_says() {
        assert_eq!(duration(DEFAULT_LOCK_WAIT).unwrap(), LOCK_WAIT);
    }

    #[test]
    fn sizes_are_written_as_for_docker() {
        assert_eq!(bytes("512m"), Ok(512 << 20));
        assert_eq!(bytes("2G"), Ok(2 << 30));
        assert_eq!(bytes("1000"), Ok(1000));
        for wrong in ["", "g", "0", "-1", "2 GB", "99999999999999g"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
