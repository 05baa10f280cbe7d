//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{ArgPredicate, NonEmptyStringValueParser};
use clap::{Parser, ValueEnum};
use tg_core::cli::{Shared, duration};

/// How long `--wait` waits when it is not told.
const WAIT: &str = "5m";
/// How long one probe may take from the name's lookup to the end of the body.
const PROBE_TIMEOUT: &str = "5s";
/// One good answer is enough for who asks once.
const RISE: &str = "1";
/// A second good answer tells a release that stays from one that falls over after its first.
const RISE_WAITING: &str = "2";

/// Says whether the application is ready: it answers 2xx, its body says that it is well, and it is
/// the expected version
///
/// Without --wait every target is asked once: exit 0 when all are ready, 1 when one is not. With
/// --wait they are asked until all are ready, or the time is over: exit 124.
#[derive(Debug, Parser)]
#[command(name = "tg-health", version, after_long_help = tg_core::cli::EXIT_STATUS)]
pub(crate) struct Cli {
    /// What to ask, http:// or https:// [default: the project's health URL [env: TG_HEALTH_URL]
    /// [x-tg: health_url] and every running API container]
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// Wait until all are ready, but no longer than this [default when given alone: 5m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = WAIT, value_parser = some_time)]
    pub(crate) wait: Option<Duration>,

    /// Ready means this very version; v1.5.0 is 1.5.0
    #[arg(long, value_name = "VERSION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) expect_version: Option<String>,

    /// File with the token that is sent as Authorization: Bearer
    /// [env: TG_HEALTH_TOKEN_FILE] [x-tg: health_token_file]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// How many times in a row all must be ready; 2 with --wait
    #[arg(long, value_name = "N", default_value = RISE,
          default_value_if("wait", ArgPredicate::IsPresent, RISE_WAITING),
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rise: u32,

    /// Give up on one answer after this long
    #[arg(long, value_name = "DURATION", default_value = PROBE_TIMEOUT, value_parser = some_time)]
    pub(crate) probe_timeout: Duration,

    /// Whether each API container is asked too, at its own address
    #[arg(long, value_enum, default_value_t = Instances::Yes, conflicts_with = "urls")]
    pub(crate) instances: Instances,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// Whether the containers behind the balancer are asked one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Instances {
    /// The health URL and each container.
    Yes,
    /// The health URL alone.
    No,
}

/// A duration that is longer than nothing.
fn some_time(text: &str) -> Result<Duration, String> {
    duration(text)
        .and_then(|d| if d.is_zero() { Err("it must be longer than nothing".into()) } else { Ok(d) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Cli {
        Cli::parse_from(std::iter::once("tg-health").chain(words.iter().copied()))
    }

    #[test]
    fn waiting_asks_for_one_more_good_answer_unless_told_otherwise() {
        assert_eq!(parse(&[]).rise, 1);
        assert_eq!(parse(&["--wait"]).rise, 2);
        assert_eq!(parse(&["--wait=1s", "--rise", "5"]).rise, 5);
    }

    #[test]
    fn a_url_after_wait_is_a_url_and_not_its_duration() {
        let cli = parse(&["--wait", "http://h/"]);
        assert_eq!(cli.wait, Some(Duration::from_mins(5)));
        assert_eq!(cli.urls, ["http://h/"]);
    }
}
