//! A program of the user's own, for whatever has no driver here: run in the project's directory with
//! one word, JSON in and JSON out. docs/load-balancers.md tells what each word means.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::deadline::Deadline;
use crate::emitter::Emitter;
use crate::interrupt::Interrupt;
use crate::process::{GRACE, Runner, describe, tail};
use crate::project::Project;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::config::ExecConfig;
use super::{Abilities, Balancer, BalancerError, Counters, Instance, Post, Seen};

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The exit code of a word that the program does not know, as shells have it.
const UNKNOWN: i32 = 127;

/// The driver.
pub(crate) struct Exec<'a> {
    emit: &'a Emitter,
    program: PathBuf,
    directory: PathBuf,
    abilities: Abilities,
    limit: Duration,
}

impl<'a> Exec<'a> {
    /// Asks the program what it can do.
    pub(super) fn new(
        config: &ExecConfig,
        project: &Project,
        emit: &'a Emitter,
    ) -> Result<Self, BalancerError> {
        Exec::at(project.path(&config.exec), project.directory.clone(), emit)
    }

    fn at(program: PathBuf, directory: PathBuf, emit: &'a Emitter) -> Result<Self, BalancerError> {
        let mut exec = Exec { emit, program, directory, abilities: Abilities::default(), limit: LIMIT };
        if let Some(abilities) = exec.ask("abilities", &json!(null), "a map of abilities to true or false")? {
            exec.abilities = abilities;
        }
        Ok(exec)
    }

    /// The answer to a word; `None` when the program does not know it.
    fn ask<T: DeserializeOwned>(
        &self,
        word: &str,
        input: &serde_json::Value,
        expected: &str,
    ) -> Result<Option<T>, BalancerError> {
        let Some(answer) = self.run(word, input)? else { return Ok(None) };
        let malformed = |e: serde_json::Error| {
            let problem = format!("it printed {:?}, expected was {expected}: {e}", tail(&answer));
            BalancerError::Refused { what: self.call(word), problem }
        };
        serde_json::from_str(&answer).map(Some).map_err(malformed)
    }

    fn run(&self, word: &str, input: &serde_json::Value) -> Result<Option<String>, BalancerError> {
        let refused = |problem| BalancerError::Refused { what: self.call(word), problem };
        let mut command = Command::new(&self.program);
        command.arg(word).current_dir(&self.directory);
        // It is part of a step, which is finished: only its own limit ends it.
        let (deadline, interrupt) = (Deadline::after(Some(self.limit)), Interrupt::default());
        let runner = Runner { emit: self.emit, deadline, interrupt: &interrupt, grace: GRACE };
        let (status, stdout, stderr) = match runner.feed(&mut command, input.to_string().as_bytes()) {
            Err(Error::Deadline { .. }) => {
                return Err(refused(format!("it did not end within {} s", self.limit.as_secs())));
            }
            Err(Error::Program { problem, .. }) => {
                return Err(BalancerError::NotPrepared {
                    problem: format!("can't run {}: {problem}", self.program.display()),
                    hint: "write the program's path, from the project's directory, into x-tg.balancer, and make it executable".into(),
                });
            }
            other => other?,
        };
        match status.code() {
            Some(0) => Ok(Some(stdout)),
            Some(UNKNOWN) => Ok(None),
            _ => Err(refused(format!("{}: {}", describe(status), tail(&stderr)))),
        }
    }

    fn call(&self, word: &str) -> String {
        format!("{} {word}", self.program.display())
    }

    fn must(&self, word: &str) -> BalancerError {
        BalancerError::Refused { what: self.call(word), problem: "it does not know this word".into() }
    }
}

impl Balancer for Exec<'_> {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn abilities(&self) -> Abilities {
        self.abilities
    }

    fn assign(&self, posts: &[Post]) -> Result<(), BalancerError> {
        self.run("assign", &json!(posts))?.map(drop).ok_or_else(|| self.must("assign"))
    }

    fn look(&self, instances: &[Instance]) -> Result<Vec<Seen>, BalancerError> {
        let expected = r#"a list of {"name", "takes_new", "healthy"?, "in_flight"?}"#;
        let seen: Option<Vec<Seen>> = self.ask("look", &json!(instances), expected)?;
        let mut seen = seen.ok_or_else(|| self.must("look"))?;
        seen.retain(|seen| instances.iter().any(|instance| instance.name == seen.name));
        Ok(seen)
    }

    fn totals(&self) -> Result<Option<Counters>, BalancerError> {
        if !self.abilities.count {
            return Ok(None);
        }
        self.ask("totals", &json!(null), r#"a map of counters: "requests", "answered_5xx", …"#)
    }
}

#[cfg(test)]
mod tests;
