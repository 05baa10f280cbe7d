//! The application's own images on the rehearsal's database: do they start, get ready, do what the operator
//! asks of them, and does the database refuse any of it?

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;
use tg_core::deadline::Deadline;
use tg_core::health::{Expect, Prober};

use crate::context::Context;
use crate::error::MigrateError;
use crate::rehearse::arena::Arena;
use crate::rehearse::limits::Limits;
use crate::rehearse::stage::Stage;
use crate::rehearse::trace::LogLine;

const POLL: Duration = Duration::from_millis(200);
const LAST_LINES: u32 = 30;
/// Syntax and names (42), constraints (23), results of another form (0A): not what a user's input does.
const CLASSES: [&str; 3] = ["42", "23", "0A"];

/// What one act showed.
#[derive(Debug, Default)]
pub(super) struct Act {
    /// Why it is not well, in the order in which it was found.
    pub problems: Vec<String>,
    /// How many smoke commands were run.
    pub smoke: usize,
    /// How many sessions the rehearsal's server has seen.
    pub sessions: usize,
    /// How long the API took to get ready, and the slowest of the commands to end.
    pub ready_in: Option<Duration>,
    pub smoke_in: Option<Duration>,
}

impl Act {
    pub(super) fn is_well(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One release on the database as it is now.
pub(super) struct Play<'a> {
    pub ctx: &'a Context<'a>,
    pub arena: &'a Arena<'a>,
    pub stage: &'a Stage<'a>,
    /// Commands for an API container, through its shell.
    pub smoke: &'a [String],
    pub limits: Limits,
}

impl Play<'_> {
    /// Starts api and workers, asks them, listens to what the database refuses, and removes them.
    pub(super) fn run(&self) -> Result<Act, MigrateError> {
        let project = &self.ctx.project;
        let began = self.arena.log_end()?;
        let helpers = self.stage.helpers();
        if !helpers.is_empty() {
            self.stage.create(&helpers)?;
            self.stage.start(&helpers)?;
        }
        let services: Vec<String> = project.api.iter().chain(&project.worker).cloned().collect();
        let mut act = Act::default();
        match self.stage.create(&services).and_then(|_| self.stage.start(&services)) {
            Ok(()) => {}
            Err(error @ MigrateError::NotIsolated(_)) => return Err(error),
            Err(error) => act.problems.push(error.to_string()),
        }
        let started = Instant::now();
        for service in &project.api {
            self.await_ready(service, &mut act)?;
        }
        act.ready_in = act.is_well().then(|| started.elapsed());
        if act.is_well() {
            self.ask(&mut act)?;
        }
        for service in &project.worker {
            self.await_living(service, started, &mut act)?;
        }
        let log = self.arena.log_since(began)?;
        act.sessions = self.arena.sessions(&log);
        act.problems.extend(refusals(&log, self.arena.role()));
        self.stage.clear()?;
        Ok(act)
    }

    fn await_ready(&self, service: &str, act: &mut Act) -> Result<(), MigrateError> {
        let session = self.ctx.session;
        let (path, port) = self.ctx.project.health_place()?;
        let token = self.ctx.project.health_token(session.emit.redactor())?;
        let prober = Prober::new(crate::TOOL, token.as_ref(), Expect::default(), session.emit.redactor());
        let deadline = Deadline::after(Some(self.limits.ready));
        let mut last = "it was not asked".to_owned();
        self.await_each(service, act, |container| {
            if let Some(url) = container.url(port, &path) {
                let verdict = prober.probe(&url, Duration::from_secs(3));
                if verdict.ready {
                    return Some(Ok(()));
                }
                last = verdict.reason.unwrap_or_default();
            }
            let limit = humantime::format_duration(self.limits.ready);
            let late = || format!("{service} did not get ready within {limit} (x-tg: ready_timeout): {last}");
            deadline.passed().then(|| Err(late()))
        })
    }

    /// One with a health check must get healthy, any other must stay up.
    fn await_living(&self, service: &str, started: Instant, act: &mut Act) -> Result<(), MigrateError> {
        let Limits { ready, uptime, .. } = self.limits;
        self.await_each(service, act, |container| match container.health.as_deref() {
            None => (started.elapsed() >= uptime).then_some(Ok(())),
            Some("healthy") => Some(Ok(())),
            Some(health) => (started.elapsed() >= ready).then(|| {
                let limit = humantime::format_duration(ready);
                Err(format!("{service} did not get healthy within {limit} (x-tg: ready_timeout): {health}"))
            }),
        })
    }

    /// Asks a service's container until something is known of it; one that has ended is not asked.
    fn await_each(
        &self,
        service: &str,
        act: &mut Act,
        mut known: impl FnMut(&Container) -> Option<Result<(), String>>,
    ) -> Result<(), MigrateError> {
        loop {
            self.ctx.session.check("waiting for the application")?;
            let container = self.stage.containers(service)?.into_iter().next();
            let found = match &container {
                None => Some(Err(format!("{service} was not created"))),
                Some(container) => match self.ended(service, container)? {
                    Some(problem) => Some(Err(problem)),
                    None => known(container),
                },
            };
            if let Some(found) = found {
                act.problems.extend(found.err());
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Why a container has ended, by its last lines.
    fn ended(&self, service: &str, container: &Container) -> Result<Option<String>, MigrateError> {
        if container.running() || !container.begun() {
            return Ok(None);
        }
        let lines = self.ctx.engine.logs(&container.id, LAST_LINES)?;
        let mut reason = crate::reason::Reason::default();
        for line in &lines {
            reason.hear(line);
        }
        Ok(Some(format!("{service} does not start (exit {}): {}", container.exit_code, reason.tell())))
    }

    fn ask(&self, act: &mut Act) -> Result<(), MigrateError> {
        let session = self.ctx.session;
        let Some(service) = self.ctx.project.api.first() else { return Ok(()) };
        let Some(container) = self.stage.containers(service)?.into_iter().next() else { return Ok(()) };
        for command in self.smoke {
            session.check("asking the application")?;
            let words = ["sh", "-c", command];
            let (limit, begun) = (self.limits.smoke, Instant::now());
            let ended =
                self.ctx.engine.exec_within(&container.id, &words, limit, || session.check("").is_err())?;
            act.smoke += 1;
            act.smoke_in = act.smoke_in.max(ended.is_some().then(|| begun.elapsed()));
            match ended {
                Some((0, _)) => {}
                Some((code, text)) => {
                    let said = tg_core::process::tail(&text);
                    act.problems.push(format!("smoke command {command:?} failed (exit {code}): {said}"));
                }
                None => act.problems.push(format!(
                    "smoke command {command:?} did not end within {} (x-tg: smoke_timeout)",
                    humantime::format_duration(limit)
                )),
            }
        }
        Ok(())
    }

    /// Tells what came of it.
    pub(super) fn tell(&self, what: &str, act: &Act) -> Result<(), MigrateError> {
        let msg = if act.is_well() {
            format!("{what}: well")
        } else {
            format!("{what}: {}", act.problems.join("; "))
        };
        let data = json!({"kind": "act", "act": what, "well": act.is_well(), "problems": act.problems, "smoke": act.smoke,
            "sessions": act.sessions});
        Ok(self.ctx.session.emit.record(&msg, data)?)
    }
}

/// What the database has refused the application, each once.
fn refusals(log: &[LogLine], role: &str) -> Vec<String> {
    let refused = log.iter().filter(|line| {
        let grave = line.error_severity == "ERROR" || line.error_severity == "FATAL";
        // We may have the application's own role.
        let ours = line.application_name.starts_with("tg-");
        grave && !ours && line.user == role && CLASSES.iter().any(|class| line.state_code.starts_with(class))
    });
    let mut all: Vec<String> = refused
        .map(|line| {
            format!("the database refuses: {} [{}] in {}", line.message, line.state_code, line.statement)
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_schema_refuses_the_application_counts_and_once() {
        let line = |user: &str, code: &str| LogLine {
            user: user.into(),
            state_code: code.into(),
            error_severity: "ERROR".into(),
            message: "m".into(),
            statement: "s".into(),
            ..LogLine::default()
        };
        let log = [
            line("app", "42703"),
            line("app", "42703"),
            line("app", "22P02"),
            line("postgres", "42703"),
            line("app", "23502"),
        ];
        let all = refusals(&log, "app");
        assert_eq!(all, ["the database refuses: m [23502] in s", "the database refuses: m [42703] in s"]);
    }
}
