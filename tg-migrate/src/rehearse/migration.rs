//! The migrator of the target release, in the rehearsal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tg_core::database::Client;

use crate::catalog::Catalog;
use crate::context::Context;
use crate::error::MigrateError;
use crate::mark::{Mark, Written};
use crate::rehearse::arena::Arena;
use crate::rehearse::isolation::Lookout;
use crate::rehearse::one_run::Run;
use crate::rehearse::stage::Stage;
use crate::rehearse::trace::{Step, Trace};
use crate::remains::{self, Traces};
use crate::watch;

/// What the rehearsed migrator's sessions are called.
pub(super) const APPLICATION: &str = "tg-migrate-rehearsal";
pub(super) const POLL: Duration = Duration::from_millis(25);
/// A session of the migrator that our own pause holds, or one that waits for an old snapshot.
const PAUSED: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep' \
    AND query !~* 'pg_sleep')";
const WAITING: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND wait_event = 'virtualxid')";

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
    pub lookout: &'a Lookout<'a>,
}

/// What a run did.
pub(super) struct Effect {
    pub run: Run,
    pub trace: Trace,
    pub before: Mark,
    pub after: Mark,
    pub rows: Vec<Written>,
}

impl Migration<'_> {
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
        let begun = self.begin()?;
        let ended = AtomicBool::new(false);
        let (came, heard) = std::thread::scope(|scope| {
            let (session, lookout) = (self.ctx.session, self.lookout);
            let following = scope.spawn(|| {
                let heard = begun.follow(session, lookout);
                ended.store(true, Ordering::Relaxed);
                heard
            });
            let came = self.await_moment(moment, begun.at, &ended);
            let killed = self.ctx.engine.kill(&begun.container);
            let _ = self.arena.end_sessions();
            drop(holder);
            (came.and_then(|came| Ok(killed.map(|()| came)?)), tg_core::thread::joined(following))
        });
        let ended = self.end(&begun, heard);
        let came = came?;
        ended?;
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
