//! Puts HAProxy in front of a project that publishes its port itself, and takes it away again.

mod apply;
mod change;
mod error;
mod facts;
mod files;
mod listing;
mod plan;
mod ports;
mod record;
mod undo;

use clap::Args;
use serde_json::json;
use tg_core::Error;
use tg_core::session::{Answer, Session};

use crate::cli::Cli;
use crate::error::SwapError;
use change::Change;

pub(crate) use error::InitError;

/// The compose file that is added.
const COMPOSE_FILE: &str = "compose.tg.yaml";
const HAPROXY_CFG: &str = "haproxy/haproxy.cfg";
/// Which containers serve: written by tg-swap, loaded by HAProxy when it starts.
const STATE_FILE: &str = "haproxy/servers.state";
/// The service that is added.
const LB: &str = "lb";
/// The first Compose with `!override`.
const OLDEST_COMPOSE: semver::Version = semver::Version::new(2, 24, 4);

/// What to put in front, and whether to.
#[derive(Args, Clone, Debug)]
pub(crate) struct Init {
    /// Make the change; without it, it is only shown
    #[arg(long)]
    pub apply: bool,

    /// Take the change back
    #[arg(long, conflicts_with = "apply")]
    pub undo: bool,

    /// Image of HAProxy
    #[arg(long, value_name = "IMAGE", default_value = "haproxy:3.0")]
    pub image: String,

    /// Port of this host at which HAProxy takes orders; only this host can reach it
    #[arg(long, value_name = "PORT", default_value_t = 9999, value_parser = clap::value_parser!(u16).range(1..))]
    pub admin_port: u16,
}

pub(crate) fn run(session: &Session, cli: &Cli, init: &Init) -> Result<Answer, SwapError> {
    let answer = if init.undo { undo::run(session, cli) } else { apply::run(session, cli, init) };
    Ok(answer?)
}

/// Puts the files back because of `cause`, and whatever else was written.
fn put_back(
    session: &Session,
    changes: &[Change],
    cause: InitError,
    also: impl FnOnce() -> Result<(), Error>,
) -> InitError {
    let cause = Box::new(cause);
    let undone = session.emit.change("init-back", "put the files back", json!({}), || {
        change::take_back(changes)?;
        also()?;
        Ok::<_, InitError>(((), json!({})))
    });
    match undone {
        Ok(()) => InitError::Undone { cause },
        Err(undo) => InitError::Stuck { cause, undo: Box::new(undo) },
    }
}
