//! One run of the migrator in the rehearsal, in a container of its own that has no way out.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tg_core::session::Session;
use tg_core::truth::Truth;

use crate::error::MigrateError;
use crate::reason::Reason;
use crate::rehearse::isolation::Lookout;
use crate::rehearse::migration::{Migration, POLL};

/// One run to its end.
#[derive(Debug)]
pub(super) struct Run {
    pub code: Option<i32>,
    pub reason: String,
    pub duration: Duration,
    /// How many sessions the rehearsal's server has seen of it.
    pub sessions: usize,
}

/// One that has begun.
pub(super) struct Begun {
    pub container: String,
    pub at: Instant,
    /// Where the server's log was.
    log: u64,
    /// Why it could not be started.
    problem: Option<String>,
}

impl Begun {
    /// Hears it to its end, or until the live server sees it.
    pub(super) fn follow(&self, session: &Session, lookout: &Lookout) -> Result<Reason, MigrateError> {
        let mut reason = Reason::default();
        if let Some(problem) = &self.problem {
            reason.hear(problem);
            return Ok(reason);
        }
        let runner = session.runner();
        let escaped = AtomicBool::new(false);
        let give_up = || {
            escaped.fetch_or(lookout.sees_any(), Ordering::Relaxed);
            escaped.load(Ordering::Relaxed) || session.interrupt.check().is_err()
        };
        let mut logs = Command::new("docker");
        logs.args(["logs", "--follow", &self.container]);
        runner.stream_unless(&mut logs, &give_up, |_, line| {
            reason.hear(line);
            session.emit.explain(line);
            Ok::<(), MigrateError>(())
        })?;
        if escaped.into_inner() { Err(MigrateError::Escaped) } else { Ok(reason) }
    }
}

impl Run {
    pub(super) fn is_well(&self) -> bool {
        self.code == Some(0)
    }

    /// Whether anything is known of what it did.
    pub(super) fn was_seen(&self) -> Truth {
        if self.sessions > 0 {
            return Truth::Yes;
        }
        Truth::unknown("the migrator has begun no session on the rehearsal's server")
    }

    pub(super) fn describe(&self) -> String {
        let code = self.code.map_or_else(|| "killed".into(), |code| format!("exit {code}"));
        format!("{code}: {}", self.reason)
    }
}

impl Migration<'_> {
    fn service(&self) -> &[String] {
        std::slice::from_ref(&self.ctx.project.migrate)
    }

    /// Runs it to its end on the database as it is.
    pub(super) fn run(&self) -> Result<Run, MigrateError> {
        let begun = self.begin()?;
        let heard = begun.follow(self.ctx.session, self.lookout);
        self.end(&begun, heard)
    }

    /// Makes its container, which has no way out, and starts it.
    pub(super) fn begin(&self) -> Result<Begun, MigrateError> {
        let container = self.stage.create(self.service())?.into_iter().next();
        let container = container.ok_or_else(|| tg_core::Error::NotRunning(self.service().concat()))?.id;
        let (log, at) = (self.arena.log_end()?, Instant::now());
        let problem = match self.stage.start(self.service()) {
            Err(MigrateError::Core(tg_core::Error::ProgramFailed { problem, .. })) => Some(problem),
            other => other.map(|()| None)?,
        };
        Ok(Begun { container, at, log, problem })
    }

    /// Takes its container away, whatever became of it.
    pub(super) fn end(
        &self,
        begun: &Begun,
        heard: Result<Reason, MigrateError>,
    ) -> Result<Run, MigrateError> {
        let ended = if heard.is_ok() { self.exit_code(begun) } else { Ok(None) };
        let duration = begun.at.elapsed();
        let removed = self.ctx.engine.remove_own(&begun.container);
        let (reason, code) = (heard?, ended?);
        removed?;
        let reason = if code == Some(0) { String::new() } else { reason.tell() };
        let sessions = self.arena.sessions(&self.arena.log_since(begun.log)?);
        Ok(Run { code, reason, duration, sessions })
    }

    /// Nothing of one that could not be started.
    fn exit_code(&self, begun: &Begun) -> Result<Option<i32>, MigrateError> {
        loop {
            self.ctx.session.check("rehearsing")?;
            // Its output has ended, and the engine knows of its end in a moment.
            match self.ctx.engine.inspect(&begun.container)? {
                Some(container) if container.running() => std::thread::sleep(POLL),
                ended => {
                    let code = ended.and_then(|container| i32::try_from(container.exit_code).ok());
                    return Ok(code.filter(|code| *code != 0 || begun.problem.is_none()));
                }
            }
        }
    }
}
