//! The migrator, run to its end and watched; begun anew where it was only locked out.

use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tg_core::database::Client;
use tg_core::thread::joined;

use crate::cli::{Cli, MAX_BLOCK};
use crate::context::Context;
use crate::error::MigrateError;
use crate::guard::Guard;
use crate::mark::Mark;
use crate::migrator::Migrator;
use crate::outcome::Outcome;
use crate::reason::Reason;
use crate::rehearse::Verdict;
use crate::watch::{Ledger, Watch, Watched};

/// How often, where a rehearsal has shown that it may be run again.
const RETRIES: u32 = 5;
/// Before the second attempt; twice as long before each one after it.
const BACKOFF: Duration = Duration::from_secs(1);
/// How long Compose may take to end once the migrator's container was killed.
const FAREWELL: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The migrator, begun anew as long as it was only locked out and that is wanted.
pub(crate) struct Attempts<'a> {
    ctx: &'a Context<'a>,
    max_block: Duration,
    retries: u32,
}

/// How one attempt ended.
pub(crate) struct Attempt {
    /// Nothing where it was not run to its end.
    pub status: Option<ExitStatus>,
    /// Why, as it says.
    pub reason: String,
    pub watched: Watched,
    /// Whether it was ended before its time.
    pub cut: bool,
    /// It was not let in with the options of its sessions.
    options_refused: bool,
}

impl<'a> Attempts<'a> {
    pub(crate) fn of(
        ctx: &'a Context<'a>,
        cli: &Cli,
        rehearsal: Option<&Verdict>,
    ) -> Result<Self, MigrateError> {
        let convergent = rehearsal.is_some_and(|verdict| verdict.convergent.is_yes());
        let max_block = ctx.project.settings().get(cli.max_block, "max_block", tg_core::cli::duration)?;
        Ok(Attempts {
            ctx,
            max_block: max_block.unwrap_or(MAX_BLOCK),
            retries: cli.retries.unwrap_or(if convergent { RETRIES } else { 0 }),
        })
    }

    pub(crate) fn run(
        &self,
        migrator: &mut Migrator,
        client: &mut Client,
        before: &Mark,
    ) -> Result<(Attempt, Outcome, u32), MigrateError> {
        let (mut tries, mut retries, mut ledger) = (0, self.retries, Ledger::default());
        loop {
            tries += 1;
            let attempt = self.attempt(migrator, ledger);
            let how = (attempt.is_well(), attempt.cut);
            let outcome = Outcome::find(self.ctx, client, before, &attempt.watched, how);
            let never_got_in = attempt.never_got_in() && !outcome.changed().is_yes();
            if never_got_in && self.ctx.session.check("").is_ok() && migrator.drop_options() {
                self.tell_of_options(&attempt.reason)?;
                ledger = attempt.watched.ledger;
                retries += 1;
                continue;
            }
            let again = tries <= retries && attempt.was_locked_out() && self.ctx.session.check("").is_ok();
            if !again {
                return Ok((attempt, outcome, tries));
            }
            let pause =
                (BACKOFF * 2u32.pow(tries.min(10) - 1)).min(LONGEST_BACKOFF).mul_f64(0.75 + jitter() / 2.0);
            let msg = format!("it was locked out; trying again in {:.1} s", pause.as_secs_f64());
            let data = json!({"attempt": tries, "reason": attempt.reason, "pause_ms": pause.as_millis()});
            self.ctx.session.emit.warning("again", &msg, data)?;
            self.ctx.session.deadline.sleep(pause);
            ledger = attempt.watched.ledger;
        }
    }

    fn tell_of_options(&self, reason: &str) -> Result<(), MigrateError> {
        let msg = "a connection pooler takes no options of sessions: the migrator is run again without them, so lock_timeout does \
            not apply, and its sessions may not carry their name; x-tg.migrate_options: false saves the first try";
        Ok(self.ctx.session.emit.warning("without-options", msg, json!({"reason": reason}))?)
    }

    /// Runs the migrator to its end, watched; its lines become records.
    fn attempt(&self, migrator: &mut Migrator, ledger: Ledger) -> Attempt {
        let (session, done) = (self.ctx.session, AtomicBool::new(false));
        let application = migrator.application.clone();
        let watch = Watch {
            ctx: self.ctx,
            application: &application,
            contained: migrator.contained,
            max_block: self.max_block,
        };
        let guard = Guard::new(self.ctx, migrator.contained);
        let mut reason = Reason::default();
        let (ended, watched) = std::thread::scope(|scope| {
            let watching = scope.spawn(|| watch.run(&done, ledger));
            scope.spawn(|| guard.run(&done));
            let runner = session.runner().with_grace(FAREWELL);
            let cut = || guard.has_cut();
            let ended = runner.stream_unless(&mut migrator.command, &cut, |stream, line| {
                reason.hear(line);
                let data = json!({"kind": "line", "stream": stream, "line": line});
                session.emit.record(line, data).map_err(MigrateError::from)
            });
            done.store(true, Ordering::Relaxed);
            (ended, joined(watching))
        });
        let cut = guard.has_cut();
        match ended {
            Ok(status) => {
                let options_refused = reason.options_refused;
                Attempt { status: Some(status), reason: reason.tell(), watched, cut, options_refused }
            }
            Err(error) => {
                let reason = error.to_string();
                Attempt { status: None, reason, watched, cut: true, options_refused: false }
            }
        }
    }
}

impl Attempt {
    /// Whether it ended by itself, with 0.
    pub(crate) fn is_well(&self) -> bool {
        !self.cut && self.status.is_some_and(|status| status.success())
    }

    /// Whether it failed since it was not let in with the options of its sessions: none of them was ever seen.
    fn never_got_in(&self) -> bool {
        let failed = self.status.is_some_and(|status| !status.success());
        failed && self.options_refused && self.watched.ledger.is_unseen()
    }

    /// Whether it failed for want of a lock: cancelled by us, by `lock_timeout` (55P03), as the victim of a deadlock (40P01).
    pub(crate) fn was_locked_out(&self) -> bool {
        let says = ["lock timeout", "55P03", "deadlock detected", "40P01"];
        !self.is_well()
            && (self.watched.cancelled.is_some() || says.iter().any(|words| self.reason.contains(words)))
    }
}

/// Between 0 and 1, so that two that were locked out by each other don't meet again.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
