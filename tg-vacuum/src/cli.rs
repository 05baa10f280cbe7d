//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tg_core::cli::{Shared, duration};
use tg_core::database::DatabaseFlags;

/// The guide's threshold: tables with more dead rows than this are worth a look.
const MIN_DEAD: i64 = 1000;
/// Nobody waits behind us longer than this.
const LOCK_TIMEOUT: &str = "2s";

/// Vacuums and analyses every user table, one after the other, the one with the most dead rows first
///
/// Safe while the application runs: never FULL, no truncation, a locked table is skipped and
/// reported, nobody waits behind us. Exit 0 also when tables were skipped; 1 when one failed.
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
}

#[derive(Args, Debug)]
pub(crate) struct RunFlags {
    /// Refresh the planner's statistics only; leave dead rows alone
    #[arg(long)]
    pub(crate) analyze_only: bool,

    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// Skip a table that can't be locked within this time [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = lock_time)]
    lock_timeout: Option<Duration>,
}

impl RunFlags {
    /// Whether any was given: none goes with a subcommand.
    pub(crate) fn given(&self) -> bool {
        self.analyze_only || self.dry_run || self.lock_timeout.is_some()
    }

    /// How long a statement may wait for a lock.
    pub(crate) fn lock_timeout(&self) -> Duration {
        self.lock_timeout.unwrap_or_else(default_lock_timeout)
    }
}

#[derive(Args, Debug)]
pub(crate) struct ReportFlags {
    /// List tables with more dead rows than this
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = MIN_DEAD, value_parser = clap::value_parser!(i64).range(-1..))]
    pub(crate) min_dead: i64,

    /// List no more than so many tables [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top: Option<u32>,
}

/// [`LOCK_TIMEOUT`] as a duration.
pub(crate) fn default_lock_timeout() -> Duration {
    duration(LOCK_TIMEOUT).unwrap_or(Duration::from_secs(2))
}

/// PostgreSQL counts in whole milliseconds, and takes 0 for no limit at all.
fn lock_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_millis(1) { Err("it must be 1ms or longer".into()) } else { Ok(time) }
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
