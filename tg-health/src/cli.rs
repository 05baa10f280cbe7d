//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{ArgPredicate, NonEmptyStringValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use regex_lite::Regex;
use tg_core::cli::{Shared, duration};
use tg_core::health::{Place, Resolve};

use crate::review::Review;
use crate::watch::Watch;

/// How long `--wait` waits when it is not told.
const WAIT: &str = "5m";
/// How long one probe may take from the name's lookup to the end of the body.
pub(crate) const PROBE_TIMEOUT: &str = "5s";
/// One good answer is enough for who asks once.
const RISE: &str = "1";
/// A second good answer tells a release that stays from one that falls over after its first.
const RISE_WAITING: &str = "2";

/// Says whether the application is ready: it answers 2xx, its body says that it is well, and it is
/// the expected version
///
/// Without --wait every target is asked once: exit 0 when all are ready, 1 when one is not. With
/// --wait they are asked until all are ready, or the time is over: exit 124. A tcp:// target is ready
/// when it takes a connection, postgres:// when it answers a query, docker:// when the containers run and
/// their health checks pass, or have ended with 0 where that is their work.
#[derive(Debug, Parser)]
#[command(name = "tg-health", version, after_long_help = tg_core::cli::EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) action: Option<Action>,

    /// What to ask: http://host:port/path, https://…, tcp://host:port, postgres://user@host:port/name, docker://SERVICE
    /// [default: the project's health URL [env: TG_HEALTH_URL] [x-tg: health_url] and every running API container]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,

    /// Wait until all are ready, but no longer than this [default when given alone: 5m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          default_missing_value = WAIT, value_parser = some_time)]
    pub(crate) wait: Option<Duration>,

    /// How many times in a row each must be ready; 2 with --wait
    #[arg(long, value_name = "N", default_value = RISE,
          default_value_if("wait", ArgPredicate::IsPresent, RISE_WAITING),
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rise: u32,

    /// How many bad answers in a row make one that was ready unready again
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) fall: u32,

    /// One ready target is enough; otherwise all must be ready
    #[arg(long, overrides_with = "all")]
    pub(crate) any: bool,

    /// All targets must be ready, which is the default
    #[arg(long, overrides_with = "any")]
    pub(crate) all: bool,

    /// Give up on one answer after this long
    #[arg(long, value_name = "DURATION", default_value = PROBE_TIMEOUT, value_parser = some_time)]
    pub(crate) probe_timeout: Duration,

    /// Whether each API container is asked too, at its own address
    #[arg(long, value_enum, default_value_t = Instances::Yes, conflicts_with = "targets")]
    pub(crate) instances: Instances,

    #[command(flatten)]
    pub(crate) http: Http,

    #[command(flatten)]
    pub(crate) shared: Shared,
}

/// What to do instead.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Watch(Box<Watch>),
    Review(Review),
}

/// How http:// and https:// are asked, and what their answers must be.
#[derive(Args, Debug)]
#[command(next_help_heading = "HTTP options")]
pub(crate) struct Http {
    /// Ready means this very version; v1.5.0 is 1.5.0
    #[arg(long, value_name = "VERSION", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) expect_version: Option<String>,

    /// These status codes and no others; the body of one that is no 2xx need not say that it is well
    #[arg(long, value_name = "CODE", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(100..600))]
    pub(crate) expect_status: Vec<u16>,

    /// What stands at a place of the JSON body (RFC 6901); then the body need not have a status, but may not have a bad one
    #[arg(long, value_name = "/PATH=VALUE", value_parser = Place::parse)]
    pub(crate) expect_json: Vec<Place>,

    /// What the body matches somewhere
    #[arg(long, value_name = "REGEX", value_parser = regex)]
    pub(crate) expect_body: Option<Regex>,

    /// File with the token that is sent as Authorization: Bearer
    /// [env: TG_HEALTH_TOKEN_FILE] [x-tg: health_token_file]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Send a header; @FILE reads one a line from a file, which is for secrets
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,

    /// Certificates (PEM) that are trusted instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Where a host and port lead, instead of what the resolver says
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = Resolve::parse)]
    pub(crate) resolve: Vec<Resolve>,

    /// How many redirects are followed; the token goes to the first place alone
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) max_redirects: u32,
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|e| e.to_string())
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
pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
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
        assert_eq!(cli.targets, ["http://h/"]);
    }
}
