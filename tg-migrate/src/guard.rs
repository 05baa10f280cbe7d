//! Ends a migrator whose time is over: a container is killed, since a migrator need not listen to signals.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::bounds::Bounds;
use tg_core::engine::Engine;

use crate::context::Context;
use crate::remains;

const TICK: Duration = Duration::from_millis(20);
/// How often a database is asked whether it answers, once the user wants an end.
const ASK: Duration = Duration::from_millis(500);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_millis(500);
/// How long the engine may take to kill a container.
const KILL: Duration = Duration::from_secs(5);

/// Looks on from a thread of its own while a migrator runs.
pub(crate) struct Guard<'a> {
    ctx: &'a Context<'a>,
    contained: bool,
    /// Whether it was ended before its time.
    cut: AtomicBool,
}

impl<'a> Guard<'a> {
    pub(crate) fn new(ctx: &'a Context<'a>, contained: bool) -> Self {
        Guard { ctx, contained, cut: AtomicBool::new(false) }
    }

    /// Whether the migrator's time is over.
    pub(crate) fn has_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Until the migrator has ended. The deadline ends it. An interrupt lets it finish, unless its database does not answer.
    pub(crate) fn run(&self, done: &AtomicBool) {
        let session = self.ctx.session;
        let (mut asked, mut told) = (None::<Instant>, false);
        while !done.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            let interrupted = session.interrupt.check().is_err();
            if interrupted && !told {
                let msg = "interrupted: the migrator is not cut off in the middle; it ends by itself, or with --timeout";
                // What can't be told now is in the result.
                let _ = session.emit.warning("finishing", msg, json!({}));
                told = true;
            }
            let ask = interrupted && asked.is_none_or(|at| at.elapsed() >= ASK);
            if ask {
                asked = Some(Instant::now());
            }
            if session.deadline.passed() || self.has_cut() || (ask && !self.database_answers()) {
                self.cut.store(true, Ordering::Relaxed);
                self.kill();
            }
        }
    }

    fn database_answers(&self) -> bool {
        let target = self.ctx.target.clone().bounded(Bounds::within(ANSWER));
        // A server that says no is one that answers.
        !matches!(target.connect("tg-migrate-guard", None), Err(tg_core::Error::Deadline { .. }))
    }

    fn kill(&self) {
        if !self.contained {
            return;
        }
        // The engine façade serves one thread. What can't be killed now is tried again, and told at the end.
        let (service, run) = (&self.ctx.project.migrate, &self.ctx.session.run);
        let _ = Engine::connect(&Bounds::within(KILL))
            .and_then(|engine| remains::kill_containers(&engine, service, run));
    }
}
