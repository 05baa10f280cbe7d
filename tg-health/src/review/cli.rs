//! The flags of `tg-health review`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tg_core::database::DatabaseFlags;

use crate::cli::some_time;

/// Review the last days: logs, restarts, memory, database, disk, certificates, backups, and what was changed
///
/// Exit 0 when nothing needs attention, 1 when something does. What one review found is remembered in the state directory
/// (reviews.jsonl), so that the next one tells what is new and how the database has grown. With --run it tells one procedure as it went.
#[derive(Args, Debug)]
pub(crate) struct Review {
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = some_time, conflicts_with = "run")]
    pub(crate) since: Duration,

    /// More of everything: longer lists, sizes of tables, unused indexes; for every few months
    #[arg(long, conflicts_with = "run")]
    pub(crate) full: bool,

    /// Write a page that stands alone
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Records of other tools that belong into the review, such as those of tg-swap outdated; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub(crate) from: Option<PathBuf>,

    /// Tell one procedure by its run: its phases, instances, waits
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,

    #[command(flatten)]
    pub(crate) database: DatabaseFlags,
}
