//! How a swap is done.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tg_core::cli::duration;
use tg_core::health::check_url;
use tg_core::project::Project;

use crate::error::SwapError;
use crate::ready;

/// The flags of a swap; a swap that is resumed keeps those that it began with.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Options {
    /// Keep the old instances, drained but running, for so long: within it a rollback is a flip of the balancer
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    pub keep: Duration,

    #[command(flatten)]
    pub pace: Pace,

    /// Send this share of the requests to one new instance first, and judge it
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub canary: Option<u8>,

    /// How long the canary is watched
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "2m", requires = "canary")]
    pub canary_for: Duration,

    /// Command that judges the canary as well: anything but exit 0 sends it back
    #[arg(long, value_name = "COMMAND", requires = "canary")]
    pub judge: Option<String>,

    /// What to ask through the load balancer as long as nobody else asks the canary; repeatable [default: the project's health URL]
    #[arg(long, value_name = "URL", value_parser = url, requires = "canary")]
    #[serde(default)]
    pub ask: Vec<String>,
}

impl Options {
    /// A swap that keeps nothing and tries nothing out, as on the way back.
    pub(super) fn at(pace: &Pace) -> Self {
        let pace = pace.clone();
        Options {
            keep: Duration::ZERO,
            pace,
            canary: None,
            canary_for: Duration::ZERO,
            judge: None,
            ask: Vec::new(),
        }
    }
}

/// In what order and with how much patience a set is replaced.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pace {
    /// Replace the whole set at once, or one instance after another, which needs memory for one more only
    #[arg(long, value_enum, default_value_t = Strategy::All)]
    pub strategy: Strategy,

    /// Start new instances all at once or one after another [default: one first, where this release has never run here]
    #[arg(long, value_enum)]
    pub boot: Option<Boot>,

    /// Good answers in a row that make an instance ready
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rise: u32,

    /// How long an instance may take to get ready [default: x-tg.ready_timeout, else three times what the last one took, 2m at least]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub ready_timeout: Option<Duration>,

    /// How long requests in flight may take to end
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub drain_timeout: Duration,

    /// What to do when they take longer: go back, or cut them and say how many
    #[arg(long, value_enum, default_value_t = OnDrainTimeout::Abort)]
    pub on_drain_timeout: OnDrainTimeout,
}

impl Pace {
    /// The same with the limit that holds for this project.
    pub(crate) fn of(&self, project: &Project) -> Result<Self, SwapError> {
        let ready_timeout = Some(ready::timeout(self.ready_timeout, project)?);
        Ok(Pace { ready_timeout, ..self.clone() })
    }

    /// How long an instance may take to get ready.
    pub(crate) fn ready_timeout(&self) -> Duration {
        self.ready_timeout.unwrap_or(ready::LEAST)
    }
}

/// How many instances are replaced at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strategy {
    /// All new ones beside all old ones
    All,
    /// One new one beside the old ones, then one old one goes
    OneByOne,
}

/// In which order new instances start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Boot {
    /// At once
    All,
    /// One after another
    One,
}

/// What becomes of requests that don't end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnDrainTimeout {
    /// The swap is undone: the old instances serve on
    Abort,
    /// They are cut, and counted
    Cut,
}

fn url(text: &str) -> Result<String, String> {
    check_url(text).map(|()| text.to_owned())
}

/// `10` or `10%`, 1 to 50.
fn percent(text: &str) -> Result<u8, String> {
    let number = text.trim_end_matches('%').parse::<u8>().map_err(|e| e.to_string())?;
    if (1..=50).contains(&number) { Ok(number) } else { Err("a canary gets 1 to 50 per cent".into()) }
}
