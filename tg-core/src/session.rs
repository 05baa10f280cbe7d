//! One run of one tool, from its first line to its exit code.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::bounds::Bounds;
use crate::cli::{Format, Shared};
use crate::deadline::Deadline;
use crate::emitter::Emitter;
use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::lock::{self, Holder, Lock};
use crate::messages::{Messages, Verbosity};
use crate::process::{self, Runner};
use crate::settings::process_env;
use crate::state::State;
use crate::{Error, Exit, Fault, cli};

/// How often the lock of a killed tool is looked at.
const ORPHAN_POLL: Duration = Duration::from_millis(100);

/// What a tool works with from beginning to end.
pub struct Session {
    /// Name of the tool.
    pub tool: &'static str,
    /// Identifier of the run; the steps of one procedure share it.
    pub run: String,
    /// Whether the run was named by the caller: then this tool is a step of a procedure.
    pub joined: bool,
    /// The writer of all output.
    pub emit: Emitter,
    /// Whether the user wants us to stop.
    pub interrupt: Interrupt,
    /// When to give up.
    pub deadline: Deadline,
    /// The flags that all tools share.
    pub shared: Shared,
}

/// How a tool that did not fail ended.
#[derive(Debug)]
pub struct Answer {
    /// [`Exit::Done`] or [`Exit::No`].
    pub exit: Exit,
    /// One sentence for people.
    pub msg: String,
    /// The tool's summary.
    pub data: Value,
}

impl Answer {
    /// Done, or yes.
    #[must_use]
    pub fn yes(msg: impl Into<String>, data: Value) -> Self {
        Answer { exit: Exit::Done, msg: msg.into(), data }
    }

    /// No.
    #[must_use]
    pub fn no(msg: impl Into<String>, data: Value) -> Self {
        Answer { exit: Exit::No, msg: msg.into(), data }
    }
}

impl Session {
    fn open(tool: &'static str, shared: &Shared) -> Result<Self, Error> {
        let format = match shared.format {
            Some(format) => format,
            None => env_setting("TG_FORMAT", format)?.unwrap_or_default(),
        };
        let timeout = match shared.timeout {
            Some(limit) => Some(limit),
            None => env_setting("TG_TIMEOUT", cli::duration)?,
        };
        let verbosity = match (shared.quiet, shared.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        let named = match &shared.run_id {
            Some(run) => Some(run_id(run).map_err(|problem| Error::Usage {
                problem: format!("bad value for --run-id: {problem}"),
                hint: "take the run that another tool printed".into(),
            })?),
            None => env_setting("TG_RUN_ID", run_id)?,
        };
        let joined = named.is_some();
        let run = named.unwrap_or_else(|| ulid::Ulid::generate().to_string());
        let emit = Emitter::stdout(Messages::new(tool, verbosity), &run, format);
        Ok(Session {
            tool,
            run,
            joined,
            emit,
            interrupt: Interrupt::listen(),
            deadline: Deadline::after(timeout),
            shared: shared.clone(),
        })
    }

    /// From here on the tool changes something: takes the project's lock, opens the journal. Waits for
    /// what a killed tool had begun.
    pub fn begin_change(&self, state: &State) -> Result<Lock, Error> {
        self.begin_change_after(state, &mut self.patience())
    }

    /// Waits for what a killed tool had begun, and says so once.
    fn patience(&self) -> impl FnMut(&Holder) -> Result<(), Error> {
        let mut told = false;
        move |holder| {
            if !told {
                let msg = format!("{} was killed; waiting for what it had begun", holder.describe());
                self.emit.warning("orphaned", &msg, json!({"holder": holder}))?;
                told = true;
            }
            self.check("waiting for what a killed tool had begun")?;
            self.deadline.sleep(ORPHAN_POLL);
            Ok(())
        }
    }

    /// The same, with another way to deal with what a killed tool had begun.
    pub fn begin_change_after(
        &self,
        state: &State,
        orphaned: &mut dyn FnMut(&Holder) -> Result<(), Error>,
    ) -> Result<Lock, Error> {
        let lock = lock::acquire(state, self.tool, &self.run, orphaned)?;
        self.emit.begin_change(Journal::create(state, &self.run, self.tool)?)?;
        Ok(lock)
    }

    /// The same for what may go on beside another step of its procedure, by a lock of its own kind.
    pub fn begin_change_beside(&self, state: &State, name: &str) -> Result<Lock, Error> {
        if !self.joined {
            return self.begin_change(state);
        }
        let lock = lock::acquire_beside(state, name, self.tool, &self.run, &mut self.patience())?;
        self.emit.begin_change(Journal::create(state, &self.run, self.tool)?)?;
        Ok(lock)
    }

    /// Runs programs of the host.
    #[must_use]
    pub fn runner(&self) -> Runner<'_> {
        Runner {
            emit: &self.emit,
            deadline: self.deadline,
            interrupt: &self.interrupt,
            grace: process::GRACE,
        }
    }

    /// The end of the waiting for one outside system.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds::new(self.deadline, self.interrupt.clone())
    }

    /// Between steps: fails when the user or the deadline wants an end.
    pub fn check(&self, doing: &str) -> Result<(), Error> {
        self.interrupt.check()?;
        if self.deadline.passed() { Err(self.deadline.error(doing)) } else { Ok(()) }
    }
}

fn env_setting<T>(name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Error> {
    let Some(text) = process_env(name) else { return Ok(None) };
    parse(&text).map(Some).map_err(|problem| Error::Setting {
        key: name.into(),
        origin: "the environment".into(),
        problem,
    })
}

fn format(text: &str) -> Result<Format, String> {
    <Format as clap::ValueEnum>::from_str(text, false).map_err(|_| format!("{text}; one of auto, json, text"))
}

/// A run names a directory: it must not lead out of `runs/`.
fn run_id(text: &str) -> Result<String, String> {
    let good = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if good {
        Ok(text.to_owned())
    } else {
        Err("a run is named with 1 to 64 letters, digits, - and _".into())
    }
}

/// Runs a tool: whatever happens, there is one result, its exit code is the process's, and a
/// person finds the reason and the cure on stderr.
pub fn conduct<E: Fault>(
    tool: &'static str,
    version: &'static str,
    shared: &Shared,
    body: impl FnOnce(&Session) -> Result<Answer, E>,
) -> ExitCode {
    let session = match Session::open(tool, shared) {
        Ok(session) => session,
        Err(error) => return fail_early(tool, version, &error),
    };
    match body(&session) {
        Ok(answer) => finish(&session, version, answer.exit, &answer.msg, answer.data),
        Err(error) => fail(&session, version, &error),
    }
}

/// Tells a failure: to a person its reason and cure, to a machine the result.
fn fail<E: Fault>(session: &Session, version: &str, error: &E) -> ExitCode {
    let (message, hint) = (error.to_string(), error.hint());
    session.emit.error(&message, hint.as_deref());
    if error.exit() == Exit::Usage {
        return Exit::Usage.into();
    }
    let mut facts = json!({
        "code": error.code(), "message": message, "hint": hint, "retryable": error.retryable(),
    });
    if let (Some(map), Some(details)) = (facts.as_object_mut(), error.details()) {
        map.insert("details".into(), details);
    }
    let mut summary = error.summary().unwrap_or_else(|| json!({}));
    summary["error"] = facts;
    finish(session, version, error.exit(), &message, summary)
}

/// The last line, and the exit code. An answer that could not be written is no yes.
fn finish(session: &Session, version: &str, exit: Exit, msg: &str, summary: Value) -> ExitCode {
    let code = tell(session, version, exit, msg, summary);
    match session.emit.lost() {
        Some(error) if exit == Exit::Done => {
            session.emit.error(&error.to_string(), error.hint().as_deref());
            error.exit().into()
        }
        _ => code,
    }
}

fn tell(session: &Session, version: &str, exit: Exit, msg: &str, summary: Value) -> ExitCode {
    if !session.emit.started() {
        let _ = session.emit.start(&format!("{} {version}", session.tool), json!({"version": version}));
    }
    let mut data = Map::new();
    data.insert("ok".into(), json!(exit == Exit::Done));
    data.insert("exit".into(), json!(exit.number()));
    if let Value::Object(summary) = summary {
        data.extend(summary);
    }
    // The exit code tells the same, so a lost last line loses nothing but words.
    let _ = session.emit.result(msg, Value::Object(data));
    exit.into()
}

/// A session that can't be opened still ends with one result; how stdout shall look is not known.
fn fail_early(tool: &'static str, version: &str, error: &Error) -> ExitCode {
    let run = ulid::Ulid::generate().to_string();
    let emit = Emitter::stdout(Messages::new(tool, Verbosity::Normal), &run, Format::Auto);
    let (interrupt, deadline) = (Interrupt::default(), Deadline::after(None));
    let session = Session { tool, run, joined: false, emit, interrupt, deadline, shared: Shared::default() };
    fail(&session, version, error)
}
