//! What may be asked for, and the hard limits of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::mix::Mix;
use crate::target::Target;

/// Highest rate, in requests a second: beyond it one core of this program would be what is measured.
pub(crate) const MAX_RATE: u32 = 2_000;
/// Longest run.
pub(crate) const MAX_DURATION: Duration = Duration::from_hours(1);
/// Most requests of one run.
pub(crate) const MAX_REQUESTS: u32 = 1_000_000;

/// Send requests to the lab at a constant rate and print one JSON object of what came of them.
#[derive(Debug, Parser)]
#[command(name = "tg-lab-load", args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look up every acknowledged write in the lab's database; exit 1 when one is missing or exists twice.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Where to send to; loopback addresses only.
    #[arg(long, default_value = "http://127.0.0.1:3000", value_parser = Target::parse, overrides_with = "url")]
    pub(crate) url: Target,
    /// Requests a second.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RATE)))]
    pub(crate) rate: u32,
    /// How long to send; SIGINT and SIGTERM end it sooner, with a report.
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    pub(crate) duration: Duration,
    /// Shares of the kinds of requests: get, slow, post, job.
    #[arg(long, default_value = "get=70,slow=5,post=20,job=5", value_parser = Mix::parse)]
    pub(crate) mix: Mix,
    /// How long a slow read takes, in ms.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) slow_ms: u32,
    /// Share of the requests that open a connection of their own; the others reuse idle ones.
    #[arg(long, default_value_t = 0.5, value_parser = parse_share)]
    pub(crate) fresh: f64,
    /// When to give up on an answer, counted from the intended send time.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
    /// Write the ids of acknowledged writes here, one a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) acked: Option<PathBuf>,
    /// Write each request here, tab-separated: when it ended in ms, kind, ok or why not, version, latency in ms.
    #[arg(long, value_name = "FILE")]
    pub(crate) samples: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// What `--acked` has written.
    pub(crate) file: PathBuf,
    /// The Compose project whose service `db` is asked.
    #[arg(long, default_value = "tg-lab")]
    pub(crate) project: String,
    /// The database to look in.
    #[arg(long, default_value = "terragnos")]
    pub(crate) database: String,
    /// The role to look as.
    #[arg(long, default_value = "terragnos")]
    pub(crate) user: String,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration > MAX_DURATION {
        return Err(format!("at most {}", humantime::format_duration(MAX_DURATION)));
    }
    Ok(duration)
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("must be between 0 and 1".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["tg-lab-load"], args].concat())
    }

    #[test]
    fn a_rate_or_a_duration_beyond_the_limits_is_refused() {
        assert!(parse(&["--rate", "2000", "--duration", "1h"]).is_ok());
        assert!(parse(&["--rate", "2001"]).is_err());
        assert!(parse(&["--rate", "0"]).is_err());
        assert!(parse(&["--duration", "61m"]).is_err());
    }

    #[test]
    fn a_share_is_between_zero_and_one() {
        assert!(parse(&["--fresh", "1"]).is_ok());
        assert!(parse(&["--fresh", "1.1"]).is_err());
        assert!(parse(&["--fresh", "NaN"]).is_err());
    }
}
