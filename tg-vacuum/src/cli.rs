//! The command line.

use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand};
use jiff::Zoned;
use tg_core::cli::{Shared, duration};
use tg_core::database::DatabaseFlags;

use crate::analyze::AnalyzeFlags;
use crate::blockers::BlockerFlags;
use crate::error::Error;
use crate::reindex::ReindexFlags;
use crate::repack::RepackFlags;
use crate::report::ReportFlags;
use crate::run::RunFlags;
use crate::window::{Budget, Window};

/// Nobody waits behind us longer than this.
const LOCK_TIMEOUT: &str = "2s";

/// Vacuums and analyses every user table, and proves what it did
///
/// Safe while the application runs: never FULL, no truncation, a locked table is skipped and
/// reported, and who waits behind us is made way for. Exit 0 also when tables were skipped; 1 when one failed, or when
/// many dead rows could not be removed because somebody holds them.
#[derive(Debug, Parser)]
#[command(name = "tg-vacuum", version, after_long_help = tg_core::cli::EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) run: RunFlags,

    #[command(flatten)]
    pub(crate) database: DatabaseFlags,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the tables with many dead rows, the worst first; changes nothing
    Report(ReportFlags),
    /// Names who keeps dead rows from being removed: sessions, prepared transactions, replication slots, standbys
    ///
    /// Exit 1 when one does. The command that would end it stands beside each; it is never run by this tool.
    Blockers(BlockerFlags),
    /// Makes statistics: those that pg_upgrade or a restore did not bring, with --missing
    Analyze(AnalyzeFlags),
    /// Builds indexes anew that are not valid or bloated by measure, and removes what interrupted attempts left
    ///
    /// Always CONCURRENTLY: nobody who reads or writes waits. Bloat that is only estimated is told and not acted upon.
    Reindex(ReindexFlags),
    /// Writes bloated tables anew by pg_repack, where it is installed; --plan tells what that would give and cost
    ///
    /// pg_repack runs in the server's container as its user postgres, one table after another, and never ends anybody's session.
    Repack(RepackFlags),
}

/// How long maintenance may take.
#[derive(Args, Debug, Default)]
pub(crate) struct TimeFlags {
    /// Be done after this time; the next run with a budget or a window goes on with what was left
    #[arg(long, value_name = "DURATION", value_parser = some_time, conflicts_with = "window")]
    budget: Option<Duration>,

    /// Be done when this time of day is over, in this host's time zone; refuse (6) outside of it
    #[arg(long, value_name = "HH:MM-HH:MM")]
    window: Option<Window>,
}

impl TimeFlags {
    /// The time that there is; refused where the window is closed.
    pub(crate) fn budget(&self) -> Result<Budget, Error> {
        let Some(window) = self.window else { return Ok(Budget::of(self.budget)) };
        match window.left(&Zoned::now()) {
            Ok(left) => Ok(Budget::of(Some(left))),
            Err(opens) => Err(Error::WindowClosed { window: window.to_string(), opens }),
        }
    }
}

/// [`LOCK_TIMEOUT`] as a duration.
pub(crate) fn default_lock_timeout() -> Duration {
    duration(LOCK_TIMEOUT).unwrap_or(Duration::from_secs(2))
}

/// A table as it is named on the command line: `table` or `schema.table`.
pub(crate) fn is_named(names: &[String], schema: &str, table: &str) -> bool {
    names.iter().any(|name| name == table || *name == format!("{schema}.{table}"))
}

/// A size as PostgreSQL counts it.
pub(crate) fn bytes(size: ByteSize) -> i64 {
    i64::try_from(size.as_u64()).unwrap_or(i64::MAX)
}

/// PostgreSQL counts in whole milliseconds, and takes 0 for no limit at all.
pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_millis(1) { Err("it must be 1ms or longer".into()) } else { Ok(time) }
}

/// 0 to 1, or more: an age may be beyond its limit.
pub(crate) fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "it is a number, such as 0.2".to_owned())?;
    if ratio.is_finite() && ratio >= 0.0 { Ok(ratio) } else { Err("it is 0 or more".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_in_the_help_is_the_default() {
        assert_eq!(default_lock_timeout(), Duration::from_secs(2));
    }

    #[test]
    fn shared_flags_stand_before_and_after_the_subcommand() {
        for words in [["-q", "report"], ["report", "-q"]] {
            let cli = Cli::parse_from(std::iter::once("tg-vacuum").chain(words));
            assert!(cli.shared.quiet && matches!(cli.command, Some(Command::Report(_))));
        }
    }
}
