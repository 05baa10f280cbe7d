//! The migrator of the target release, in the rehearsal.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tg_core::database::Client;
use tg_core::process::{self};

use crate::catalog::Catalog;
use crate::context::Context;
use crate::error::MigrateError;
use crate::mark::{Mark, Written};
use crate::reason::Reason;
use crate::rehearse::arena::Arena;
use crate::rehearse::stage::Stage;
use crate::rehearse::trace::{Step, Trace};
use crate::remains::{self, Traces};
use crate::watch;

/// What the rehearsed migrator's sessions are called.
const APPLICATION: &str = "tg-migrate-rehearsal";
const POLL: Duration = Duration::from_millis(25);
/// A session of the migrator that our own pause holds, or one that waits for an old snapshot.
const PAUSED: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep' \
    AND query !~* 'pg_sleep')";
const WAITING: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND wait_event = 'virtualxid')";

/// One run to its end.
#[derive(Debug)]
pub(super) struct Run {
    pub code: Option<i32>,
    pub reason: String,
    pub duration: Duration,
}

/// Where to kill it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// At the beginning of the so-manieth command.
    Before(u64),
    /// In the middle of the so-manieth command, which builds an index beside its users.
    Within(u64),
    /// So long after its start.
    After(Duration),
}

pub(super) struct Migration<'a> {
    pub ctx: &'a Context<'a>,
    pub arena: &'a Arena<'a>,
    pub stage: &'a Stage<'a>,
}

/// What a run did.
pub(super) struct Effect {
    pub run: Run,
    pub trace: Trace,
    pub before: Mark,
    pub after: Mark,
    pub rows: Vec<Written>,
}

impl Run {
    pub(super) fn is_well(&self) -> bool {
        self.code == Some(0)
    }

    pub(super) fn describe(&self) -> String {
        let code = self.code.map_or_else(|| "killed".into(), |code| format!("exit {code}"));
        format!("{code}: {}", self.reason)
    }
}

impl Migration<'_> {
    fn command(&self) -> Command {
        let name = format!("PGAPPNAME={APPLICATION}");
        self.stage.compose(&["run", "--rm", "-T", "--no-deps", "-e", &name, &self.ctx.project.migrate])
    }

    /// Runs it to its end on the database as it is.
    pub(super) fn run(&self) -> Result<Run, MigrateError> {
        let session = self.ctx.session;
        let runner = session.runner();
        let (mut reason, begun) = (Reason::default(), Instant::now());
        let status = runner.stream(&mut self.command(), |_, line| {
            reason.hear(line);
            session.emit.explain(line);
            Ok::<(), MigrateError>(())
        })?;
        session.check("rehearsing")?;
        let reason = if status.success() {
            String::new()
        } else {
            format!("{} ({})", reason.tell(), process::describe(status))
        };
        Ok(Run { code: status.code(), reason, duration: begun.elapsed() })
    }

    /// The same, with everything that it did.
    pub(super) fn observe(&self) -> Result<Effect, MigrateError> {
        let mut client = self.arena.connect()?;
        let (before, names) = (Mark::take(&mut client)?, watch::names(&mut client)?);
        let log = self.arena.log_end()?;
        let run = self.run()?;
        remains::settle(&mut client, &Traces::named(APPLICATION))?;
        let after = Mark::take(&mut client)?;
        let trace = Trace::read(&self.arena.log_since(log)?, &names);
        let rows = before.rows_until(&after);
        Ok(Effect { run, trace, before, after, rows })
    }

    /// Runs it and kills it at a moment, with all that it has of the database; whether that moment came.
    pub(super) fn kill(&self, moment: &Moment) -> Result<bool, MigrateError> {
        let mut client = self.arena.connect()?;
        let mut holder = None;
        match moment {
            Moment::Before(n) => pause(&mut client, *n)?,
            Moment::Within(_) => {
                let mut old = self.arena.connect()?;
                old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")?;
                holder = Some(old);
            }
            Moment::After(_) => {}
        }
        drop(client);
        let (ended, begun) = (AtomicBool::new(false), Instant::now());
        let came = std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                let run = self.run();
                ended.store(true, Ordering::Relaxed);
                run
            });
            let came = self.await_moment(moment, begun, &ended);
            let killed = self.kill_containers();
            let _ = self.arena.end_sessions();
            drop(holder);
            let ran = tg_core::thread::joined(running);
            killed.and(ran.map(drop)).and(came)
        })?;
        self.arena.connect()?.batch_execute("DELETE FROM tg_trace.pause")?;
        Ok(came)
    }

    fn await_moment(
        &self,
        moment: &Moment,
        begun: Instant,
        ended: &AtomicBool,
    ) -> Result<bool, MigrateError> {
        let mut admin = self.arena.admin()?;
        let name = self.arena.target().name;
        while !ended.load(Ordering::Relaxed) {
            let now = match moment {
                Moment::Before(_) => admin.query_one(PAUSED, &[&name])?.get(0),
                Moment::Within(_) => admin.query_one(WAITING, &[&name])?.get(0),
                Moment::After(time) => begun.elapsed() >= *time,
            };
            if now {
                return Ok(true);
            }
            self.ctx.session.check("rehearsing")?;
            std::thread::sleep(POLL);
        }
        Ok(false)
    }

    fn kill_containers(&self) -> Result<(), MigrateError> {
        // The engine façade serves one thread, and this one has its own.
        for container in self.stage.containers(&self.ctx.project.migrate)? {
            self.ctx.engine.kill(&container.id)?;
        }
        Ok(())
    }
}

fn pause(client: &mut Client, n: u64) -> Result<(), MigrateError> {
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    client.batch_execute("SELECT pg_catalog.setval('tg_trace.command', 1, false)")?;
    client.execute("INSERT INTO tg_trace.pause VALUES ($1)", &[&n])?;
    Ok(())
}

/// The catalog as it is now.
pub(super) fn catalog(arena: &Arena) -> Result<Catalog, MigrateError> {
    Catalog::read(&mut arena.connect()?)
}

/// A few moments of a run, those that tell most first: within commands that build beside its users, in the middle of
/// its time, and before its commands. Before the first one nothing has been done.
pub(super) fn moments(steps: &[Step], duration: Duration, most: usize) -> Vec<Moment> {
    let within =
        steps.iter().filter(|s| s.concurrently && s.tag.starts_with("CREATE")).map(|s| Moment::Within(s.n));
    let mut all: Vec<Moment> = within.take(most.div_ceil(2)).collect();
    all.push(Moment::After(duration / 2));
    let later = steps.get(1..).unwrap_or_default();
    let stride = later.len().div_ceil(most.saturating_sub(all.len()).max(1)).max(1);
    all.extend(later.iter().rev().step_by(stride).map(|s| Moment::Before(s.n)));
    all.truncate(most);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_killed_before_commands_within_concurrent_builds_and_in_between() {
        let step =
            |n: u64, concurrently| Step { n, tag: "CREATE INDEX".into(), concurrently, ..Step::default() };
        let second = Duration::from_secs(2);
        let all = moments(&[step(1, false), step(2, true), step(3, false)], Duration::from_secs(4), 6);
        assert_eq!(all, [Moment::Within(2), Moment::After(second), Moment::Before(3), Moment::Before(2)]);
        let many: Vec<Step> = (1..=100).map(|n| step(n, n % 2 == 0)).collect();
        for most in 0..8 {
            assert_eq!(moments(&many, second, most).len(), most);
        }
        assert_eq!(moments(&[], second, 6).len(), 1);
    }
}
