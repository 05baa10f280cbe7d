//! The one writer of stdout and stderr.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::Format;
use crate::event::{self, Event, Kind, StepState};
use crate::journal::Journal;
use crate::messages::{Messages, Verbosity};
use crate::progress::Progress;
use crate::redact::Redactor;
use crate::{Error, Fault, text};

/// Writes events to stdout and to the journal, and messages for people to stderr.
pub struct Emitter {
    messages: Messages,
    run: String,
    json: bool,
    inner: Mutex<Inner>,
}

struct Inner {
    out: Box<dyn Write + Send>,
    /// Why lines are no longer written; nothing is said of a reader that has heard enough.
    closed: Option<std::io::Error>,
    journal: Option<Journal>,
    /// Lines that came before the journal was opened.
    early: Vec<String>,
    started: bool,
    progress: Progress,
}

impl Emitter {
    /// An emitter on the process's own stdout.
    #[must_use]
    pub fn stdout(messages: Messages, run: &str, format: Format) -> Self {
        let json = match format {
            Format::Json => true,
            Format::Text => false,
            Format::Auto => !std::io::stdout().is_terminal(),
        };
        Self::new(messages, run, json, Box::new(std::io::stdout()))
    }

    /// An emitter on any writer.
    #[must_use]
    pub fn new(messages: Messages, run: &str, json: bool, out: Box<dyn Write + Send>) -> Self {
        let inner = Inner {
            out,
            closed: None,
            journal: None,
            early: Vec::new(),
            started: false,
            progress: Progress::default(),
        };
        Emitter { messages, run: run.to_owned(), json, inner: Mutex::new(inner) }
    }

    /// From now on the tool changes something: lines go to the journal as well.
    pub fn begin_change(&self, mut journal: Journal) -> Result<(), Error> {
        let mut inner = self.lock();
        for line in std::mem::take(&mut inner.early) {
            journal.append(&line, false)?;
        }
        inner.journal = Some(journal);
        Ok(())
    }

    /// First line: what the tool is about to do and with which configuration.
    pub fn start(&self, msg: &str, data: Value) -> Result<(), Error> {
        self.lock().started = true;
        self.line(Kind::Start, msg, data)
    }

    /// Whether [`Self::start`] has been said.
    #[must_use]
    pub fn started(&self) -> bool {
        self.lock().started
    }

    /// One line of intent or outcome. The intent is durable before this returns.
    pub fn step(&self, step: &str, state: StepState, msg: &str, data: Value) -> Result<(), Error> {
        let mut all = json!({"step": step, "state": state});
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), data) {
            all.extend(more);
        }
        self.line(Kind::Step, msg, all)
    }

    /// Does something with its intent before it and its outcome after it.
    pub fn change<T, E: Fault + From<Error>>(
        &self,
        step: &str,
        msg: &str,
        intent: Value,
        work: impl FnOnce() -> Result<(T, Value), E>,
    ) -> Result<T, E> {
        self.step(step, StepState::Started, msg, intent)?;
        let begun = Instant::now();
        let spent = |data: &mut Value| {
            if let Some(map) = data.as_object_mut() {
                map.insert("duration_ms".into(), json!(begun.elapsed().as_millis()));
            }
        };
        match work() {
            Ok((value, mut data)) => {
                spent(&mut data);
                self.step(step, StepState::Succeeded, msg, data)?;
                Ok(value)
            }
            Err(error) => {
                let mut data = json!({"error": error.to_string()});
                spent(&mut data);
                // The reason itself is what must not be lost: it goes on even if this line can't be written.
                let _ = self.step(step, StepState::Failed, msg, data);
                Err(error)
            }
        }
    }

    /// One row of the answer.
    pub fn record(&self, msg: &str, data: Value) -> Result<(), Error> {
        self.line(Kind::Record, msg, data)
    }

    /// How far long work has come; said at most once a second.
    pub fn progress(&self, msg: &str, done: u64, total: u64, unit: &str) -> Result<(), Error> {
        let told = self.lock().progress.tell(Instant::now(), msg, (done, total), unit);
        told.map_or(Ok(()), |data| self.line(Kind::Progress, msg, data))
    }

    /// Something that a person should know: on stdout for machines, on stderr for people.
    pub fn warning(&self, code: &str, msg: &str, data: Value) -> Result<(), Error> {
        let mut all = json!({"code": code});
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), data) {
            all.extend(more);
        }
        if self.json {
            self.messages.say(Verbosity::Normal, &format!("warning: {msg}"));
        }
        self.line(Kind::Warning, msg, all)
    }

    /// Last line.
    pub fn result(&self, msg: &str, data: Value) -> Result<(), Error> {
        self.line(Kind::Result, msg, data)
    }

    /// Tells on stderr what is done outside, under `-v`.
    pub fn explain(&self, msg: &str) {
        self.messages.say(Verbosity::Verbose, msg);
    }

    /// An error and its cure on stderr.
    pub fn error(&self, message: &str, hint: Option<&str>) {
        self.messages.error(message, hint);
    }

    /// What keeps secrets out.
    #[must_use]
    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.messages.redactor
    }

    fn line(&self, kind: Kind, msg: &str, mut data: Value) -> Result<(), Error> {
        let msg = self.messages.redactor.clean(msg);
        self.messages.redactor.clean_value(&mut data);
        let event = Event {
            v: event::WIRE_VERSION,
            ts: event::now(),
            run: &self.run,
            tool: self.messages.tool,
            kind,
            msg: &msg,
            data: &data,
        };
        let line = serde_json::to_string(&event).unwrap_or_default();
        let mut inner = self.lock();
        let durable = matches!(kind, Kind::Step | Kind::Result);
        let mut journaled = Ok(());
        if let Some(journal) = inner.journal.as_mut() {
            journaled = journal.append(&line, durable);
        } else if matches!(kind, Kind::Start | Kind::Warning) {
            inner.early.push(line.clone());
        }
        let text = if self.json { Some(line) } else { text::line(kind, &msg, &data) };
        if let Some(text) = text
            && inner.closed.is_none()
        {
            inner.closed = writeln!(inner.out, "{text}").and_then(|()| inner.out.flush()).err();
        }
        journaled
    }

    /// Why an answer that was meant for stdout alone is not all there. A reader that has heard enough closes the pipe, and
    /// misses nothing; what a tool changed is in its journal.
    #[must_use]
    pub fn lost(&self) -> Option<Error> {
        let inner = self.lock();
        let full = inner.closed.as_ref().filter(|e| e.kind() != std::io::ErrorKind::BrokenPipe)?;
        inner.journal.is_none().then(|| Error::file("standard output", full))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>, Option<std::io::ErrorKind>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if let Some(kind) = self.1 {
                return Err(kind.into());
            }
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn emitter(sink: &Sink) -> Emitter {
        Emitter::new(Messages::new("tg-x", Verbosity::Quiet), "r", true, Box::new(sink.clone()))
    }

    #[test]
    fn a_failed_change_is_told_with_its_reason() {
        let sink = Sink::default();
        let result: Result<(), Error> =
            emitter(&sink).change("cut", "cut over", json!({}), || Err(Error::Sql("boom".into())));
        assert!(result.is_err());
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let states: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(states[0]["data"]["state"], "started");
        assert_eq!(states[1]["data"]["state"], "failed");
        assert_eq!(states[1]["data"]["error"], "sql: boom");
    }

    #[test]
    fn who_closes_the_pipe_has_heard_enough_and_a_full_disk_loses_an_answer() {
        let (closed, full) = (std::io::ErrorKind::BrokenPipe, std::io::ErrorKind::StorageFull);
        for (kind, lost) in [(closed, false), (full, true)] {
            let reader = emitter(&Sink(Arc::default(), Some(kind)));
            reader.record("x", json!({})).unwrap();
            assert_eq!(reader.lost().is_some(), lost, "{kind}");
        }
    }

    #[test]
    fn what_a_tool_changes_is_in_its_journal_whatever_becomes_of_stdout() {
        let dir = tempfile::tempdir().unwrap();
        let state = crate::state::State::at(dir.path().to_owned());
        let changer = emitter(&Sink(Arc::default(), Some(std::io::ErrorKind::StorageFull)));
        changer.begin_change(Journal::create(&state, "r", "tg-x").unwrap()).unwrap();
        changer.step("a", StepState::Started, "a", json!({})).unwrap();
        assert_eq!(crate::journal::steps(&state, "r").unwrap().len(), 1);
        assert!(changer.lost().is_none());
    }

    #[test]
    fn a_secret_reaches_neither_stdout_nor_the_journal() {
        let sink = Sink::default();
        let emitter = emitter(&sink);
        emitter.redactor().learn("s3cret!");
        emitter.record("it is s3cret!", json!({"a": {"b": "s3cret!"}})).unwrap();
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
    }
}
