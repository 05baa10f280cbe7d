//! Programs of the host, run in a process group of their own: Ctrl-C at the terminal reaches us
//! alone, so that a step is finished or undone and never cut by accident.

use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::deadline::Deadline;
use crate::emitter::Emitter;
use crate::interrupt::Interrupt;
use crate::{Error, Fault};

/// The grace of a program that changes something.
pub const GRACE: Duration = Duration::from_secs(10);
/// The grace of a program that only answers.
const GRACE_TO_ANSWER: Duration = Duration::from_millis(300);
/// How often a wait looks at the deadline.
const TICK: Duration = Duration::from_millis(20);
/// How much of a failed program's stderr an error repeats.
const TAIL_LINES: usize = 6;

/// Which stream a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Runs programs under one deadline and explains them under `-v`.
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    /// Says each command under `-v`.
    pub emit: &'a Emitter,
    /// When a program is ended.
    pub deadline: Deadline,
    /// What ends a program that only answers.
    pub interrupt: &'a Interrupt,
    /// How long a program may take to end after SIGTERM before it gets SIGKILL.
    pub grace: Duration,
}

impl Runner<'_> {
    /// The same programs, ended at another time.
    #[must_use]
    pub fn until(self, deadline: Deadline) -> Self {
        Runner { deadline, ..self }
    }

    /// The same programs, with another grace.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Runner { grace, ..self }
    }

    /// Runs a program that changes something to its end and returns its stdout; any exit but 0 is an error that repeats
    /// the end of its stderr.
    pub fn capture(&self, command: &mut Command) -> Result<String, Error> {
        self.succeed(command, &|| false)
    }

    /// The same for a program that only answers a question: the interrupt ends it, too.
    pub fn ask(&self, command: &mut Command) -> Result<String, Error> {
        let interrupted = || self.interrupt.check().is_err();
        // What is asked after an interrupt, to finish a step, is asked as if there had been none.
        let early = interrupted();
        let give_up = || !early && interrupted();
        let answer = self.with_grace(GRACE_TO_ANSWER).succeed(command, &give_up);
        match (answer, give_up()) {
            (Err(Error::ProgramFailed { .. }), true) => {
                Err(self.interrupt.check().err().unwrap_or(Error::Interrupted))
            }
            (answer, _) => answer,
        }
    }

    fn succeed(&self, command: &mut Command, give_up: &dyn Fn() -> bool) -> Result<String, Error> {
        let (status, stdout, stderr) = self.collect(Stdio::null(), command, give_up)?;
        if status.success() {
            return Ok(stdout);
        }
        Err(Error::ProgramFailed {
            program: name(command),
            status: describe(status),
            problem: tail(if stderr.trim().is_empty() { &stdout } else { &stderr }),
        })
    }

    /// Runs a program that reads `input`, and returns how it ended, its stdout and its stderr.
    pub fn feed(&self, command: &mut Command, input: &[u8]) -> Result<(ExitStatus, String, String), Error> {
        let unfed = |e: std::io::Error| Error::Program { program: name(command), problem: e.to_string() };
        // A file is read at the program's own pace: nothing can be stuck in a pipe.
        let mut file = tempfile::tempfile().map_err(unfed)?;
        file.write_all(input).and_then(|()| file.rewind()).map_err(unfed)?;
        self.collect(file.into(), command, &|| false)
    }

    fn collect(
        &self,
        stdin: Stdio,
        command: &mut Command,
        give_up: &dyn Fn() -> bool,
    ) -> Result<(ExitStatus, String, String), Error> {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let status = self.stream_until(stdin, command, (give_up, &|_| ()), |stream, line| {
            let text = if stream == Stream::Stdout { &mut stdout } else { &mut stderr };
            text.push_str(line);
            text.push('\n');
            Ok::<(), Error>(())
        })?;
        Ok((status, stdout, stderr))
    }

    /// Runs a program and hands out each line as it comes; returns how the program ended.
    pub fn stream<E: Fault + From<Error>>(
        &self,
        command: &mut Command,
        on_line: impl FnMut(Stream, &str) -> Result<(), E>,
    ) -> Result<ExitStatus, E> {
        self.stream_unless(command, &|| false, on_line)
    }

    /// The same for a program that shall be ended when `give_up` says so, which is asked again and again.
    pub fn stream_unless<E: Fault + From<Error>>(
        &self,
        command: &mut Command,
        give_up: &dyn Fn() -> bool,
        on_line: impl FnMut(Stream, &str) -> Result<(), E>,
    ) -> Result<ExitStatus, E> {
        self.stream_group(command, give_up, &|_| (), on_line)
    }

    /// The same; `begun` gets the program's process group as soon as there is one.
    pub fn stream_group<E: Fault + From<Error>>(
        &self,
        command: &mut Command,
        give_up: &dyn Fn() -> bool,
        begun: &dyn Fn(u32),
        on_line: impl FnMut(Stream, &str) -> Result<(), E>,
    ) -> Result<ExitStatus, E> {
        self.stream_until(Stdio::null(), command, (give_up, begun), on_line)
    }

    fn stream_until<E: Fault + From<Error>>(
        &self,
        stdin: Stdio,
        command: &mut Command,
        (give_up, begun): (&dyn Fn() -> bool, &dyn Fn(u32)),
        mut on_line: impl FnMut(Stream, &str) -> Result<(), E>,
    ) -> Result<ExitStatus, E> {
        self.emit.explain(&format!("running {}", words(command)));
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|e| Error::Program { program: name(command), problem: e.to_string() })?;
        begun(child.id());
        let (sender, lines) = mpsc::channel();
        let mut lost = Ok(());
        std::thread::scope(|scope| {
            if let Some(out) = child.stdout.take() {
                let sender = sender.clone();
                scope.spawn(move || read_lines(out, Stream::Stdout, &sender));
            }
            if let Some(err) = child.stderr.take() {
                scope.spawn(move || read_lines(err, Stream::Stderr, &sender));
            }
            let mut ended = None;
            loop {
                match lines.recv_timeout(TICK) {
                    Ok((stream, line)) => {
                        if lost.is_ok() {
                            lost = on_line(stream, &line);
                        }
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                if ended.is_none() && (self.deadline.passed() || give_up()) {
                    ended = Some(Instant::now());
                    signal(&child, Signal::TERM);
                } else if ended.is_some_and(|at| at.elapsed() > self.grace) {
                    signal(&child, Signal::KILL);
                }
            }
        });
        let status =
            child.wait().map_err(|e| Error::Program { program: name(command), problem: e.to_string() })?;
        lost?;
        if self.deadline.passed() && !status.success() {
            return Err(self.deadline.error(&format!("running {}", name(command))).into());
        }
        Ok(status)
    }
}

fn read_lines(source: impl Read, stream: Stream, sender: &mpsc::Sender<(Stream, String)>) {
    let mut reader = BufReader::new(source);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
        let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
        bytes.clear();
        if sender.send((stream, line)).is_err() {
            return;
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // The group may have ended by itself in this moment.
        let _ = kill_process_group(pid, signal);
    }
}

/// `exit 3`, or the signal.
#[must_use]
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "ended".into(),
    }
}

/// The last lines of a text, joined for an error message; lines without a word (`^^^^`) say nothing.
#[must_use]
pub fn tail(text: &str) -> String {
    let says = |line: &&str| line.chars().any(char::is_alphanumeric);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(says).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("; ")
}

fn name(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().take(1).map(std::ffi::OsStr::to_string_lossy));
    words.join(" ")
}

fn words(command: &Command) -> String {
    let all = std::iter::once(command.get_program()).chain(command.get_args());
    all.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Messages, Verbosity};

    fn emitter() -> Emitter {
        Emitter::new(Messages::new("tg-x", Verbosity::Quiet), "r", true, Box::new(std::io::sink()))
    }

    /// A program that does not end when it is asked to.
    fn deaf() -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; while :; do sleep 0.05; done"]);
        command
    }

    #[test]
    fn a_program_that_only_answers_ends_with_the_deadline_though_it_ignores_sigterm() {
        let (emit, interrupt) = (emitter(), Interrupt::default());
        let deadline = Deadline::after(Some(Duration::from_millis(50)));
        let begun = Instant::now();
        let error = Runner { emit: &emit, deadline, interrupt: &interrupt, grace: GRACE }
            .ask(&mut deaf())
            .unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error}");
        assert!(begun.elapsed() < GRACE, "it does not get the grace of one that changes something");
    }

    #[test]
    fn an_interrupt_ends_what_is_asked_and_not_what_is_asked_after_it() {
        let (emit, interrupt) = (emitter(), Interrupt::default());
        let runner =
            Runner { emit: &emit, deadline: Deadline::after(None), interrupt: &interrupt, grace: GRACE };
        let answer = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                interrupt.raise();
            });
            runner.ask(&mut deaf())
        });
        assert!(matches!(answer, Err(Error::Terminated)), "{answer:?}");
        assert_eq!(runner.ask(Command::new("echo").arg("yes")).unwrap(), "yes\n");
    }

    #[test]
    fn the_tail_of_a_text_has_its_last_lines_and_none_without_a_word() {
        assert_eq!(tail("  open(it)\n  ~~~~^^^^\n\nIOError: none such\n"), "open(it); IOError: none such");
    }
}
