//! What a migrator that has ended, or was ended, leaves behind: its container, and sessions that the server keeps at work.

use std::time::Duration;

use tg_core::Truth;
use tg_core::container::{Container, RUN_LABEL};
use tg_core::database::Client;
use tg_core::deadline::Deadline;
use tg_core::engine::Engine;

use crate::context::Context;
use crate::error::MigrateError;

const SESSIONS: &str = include_str!("sql/remains.sql");
const TERMINATE: &str =
    "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.unnest($1::int[]) AS left_behind(pid)";
/// How long sessions may take to end by themselves: each reports what it wrote when it ends.
const SETTLE: Duration = Duration::from_secs(5);
/// How long they may take once they were told to.
const FAREWELL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// How a migrator is known to the engine and to the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces {
    /// `application_name` of its sessions.
    pub application: String,
    /// Addresses that its container had.
    pub addresses: Vec<String>,
    /// Whether it has a container of its own.
    pub contained: bool,
}

impl Traces {
    /// Known by its name alone.
    pub(crate) fn named(application: &str) -> Self {
        Traces { application: application.into(), ..Traces::default() }
    }
}

/// Kills the containers of a run's migrator; safe to call again and again.
pub(crate) fn kill_containers(engine: &Engine, service: &str, run: &str) -> Result<(), tg_core::Error> {
    running(engine, service, run)?.iter().try_for_each(|container| engine.kill(&container.id))
}

/// The containers of a run's migrator that run.
fn running(engine: &Engine, service: &str, run: &str) -> Result<Vec<Container>, tg_core::Error> {
    let mut found = engine.labelled(&[format!("{RUN_LABEL}={run}")])?;
    found.retain(|container| container.service == service && container.running());
    Ok(found)
}

/// Ends what is left of a migrator, and says whether nothing is. `cut`: it was ended before its time, so its sessions are not waited for.
pub(crate) fn end(
    ctx: &Context,
    client: &mut Client,
    traces: &Traces,
    cut: bool,
) -> Result<Truth, MigrateError> {
    let containers = if traces.contained { containers_gone(ctx) } else { exec_gone(cut) };
    let mut left = if cut { sessions(client, traces)? } else { settle(client, traces)? };
    if !left.is_empty() {
        // Whoever may not end them is told below that they are still there.
        let _ = client.query(TERMINATE, &[&left]);
        left = await_end(client, traces, FAREWELL)?;
    }
    let sessions = match left.len() {
        0 => Truth::Yes,
        n => Truth::unknown(format!("{n} sessions of the migrator could not be ended (pids {left:?})")),
    };
    Ok(containers.and(sessions))
}

/// Waits until the migrator's sessions are gone, so that their counts are in the statistics; those that are not.
pub(crate) fn settle(client: &mut Client, traces: &Traces) -> Result<Vec<i32>, MigrateError> {
    await_end(client, traces, SETTLE)
}

fn await_end(client: &mut Client, traces: &Traces, limit: Duration) -> Result<Vec<i32>, MigrateError> {
    let deadline = Deadline::after(Some(limit));
    loop {
        let left = sessions(client, traces)?;
        if left.is_empty() || deadline.passed() {
            return Ok(left);
        }
        deadline.sleep(POLL);
    }
}

fn sessions(client: &mut Client, traces: &Traces) -> Result<Vec<i32>, MigrateError> {
    let rows = client.query(SESSIONS, &[&traces.application, &traces.addresses])?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether no container of the migrator runs, after those that do were killed.
fn containers_gone(ctx: &Context) -> Truth {
    let (engine, service, run) = (&ctx.engine, &ctx.project.migrate, &ctx.session.run);
    let gone = kill_containers(engine, service, run).and_then(|()| running(engine, service, run));
    match gone {
        Ok(left) if left.is_empty() => Truth::Yes,
        Ok(left) => {
            let names: Vec<&str> = left.iter().map(|container| container.name.as_str()).collect();
            Truth::unknown(format!("container {} of the migrator can't be ended", names.join(", ")))
        }
        Err(error) => Truth::unknown(format!("whether the migrator's container is gone: {error}")),
    }
}

/// The engine can't end a command that it was asked to run inside a container.
fn exec_gone(cut: bool) -> Truth {
    if cut { Truth::unknown("the migrator's process may go on in the API's container") } else { Truth::Yes }
}
