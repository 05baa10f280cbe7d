//! Who of the workers does what, and who of them was told to stop: what workers and overseer share.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::text;

/// Why a statement was cancelled, or no further one is begun.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Why {
    /// The user wants an end.
    Interrupted,
    /// `--timeout`.
    Deadline,
    /// The budget is spent, or the window closes.
    Over,
    /// Somebody waited behind it.
    MadeWay(Waiter),
}

/// Who waited.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Waiter {
    pub(crate) pid: i32,
    pub(crate) user: String,
    pub(crate) application: String,
    pub(crate) query: String,
}

impl Waiter {
    /// For people.
    pub(crate) fn sentence(&self) -> String {
        format!("process {} of {} waited behind it: {}", self.pid, self.user, text::one_line(&self.query, 80))
    }

    pub(crate) fn data(&self) -> Value {
        json!({"pid": self.pid, "user": self.user, "application": self.application, "query": self.query})
    }
}

impl Why {
    /// For a record.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Why::Interrupted => "interrupted".into(),
            Why::Deadline => "the deadline passed".into(),
            Why::Over => "the time was over".into(),
            Why::MadeWay(waiter) => waiter.sentence(),
        }
    }
}

/// A statement that runs.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Its tables, for people.
    pub(crate) label: String,
    /// What it is about.
    bytes: i64,
    /// Why it was cancelled, if it was.
    pub(crate) cancelled: Option<Why>,
}

/// The board.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By the server's process.
    at_work: BTreeMap<i32, Work>,
    stopped: Option<Why>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A statement begins; not when all have been stopped.
    pub(crate) fn begin(&self, pid: i32, label: &str, bytes: i64) -> Result<(), Why> {
        let mut inner = self.lock();
        if let Some(why) = &inner.stopped {
            return Err(why.clone());
        }
        inner.at_work.insert(pid, Work { label: label.to_owned(), bytes, cancelled: None });
        Ok(())
    }

    /// It has ended; why it was cancelled, if it was.
    pub(crate) fn end(&self, pid: i32) -> Option<Why> {
        self.lock().at_work.remove(&pid)?.cancelled
    }

    /// No further statement begins.
    pub(crate) fn stop(&self, why: &Why) {
        self.lock().stopped.get_or_insert_with(|| why.clone());
    }

    /// Why none begins any more.
    pub(crate) fn stopped(&self) -> Option<Why> {
        self.lock().stopped.clone()
    }

    /// Whether somebody else's statement is about more than so many bytes.
    pub(crate) fn is_beside(&self, pid: i32, bytes: i64) -> bool {
        self.lock().at_work.iter().any(|(other, work)| *other != pid && work.bytes > bytes)
    }

    /// Who is at work.
    pub(crate) fn at_work(&self) -> BTreeMap<i32, Work> {
        self.lock().at_work.clone()
    }

    /// Cancels what a process does, if it is still at it and has not been told. The board is held meanwhile, so that the next statement
    /// of the process is not hit.
    pub(crate) fn cancel(&self, pid: i32, why: &Why, cancel: impl FnOnce() -> bool) {
        let mut inner = self.lock();
        if let Some(work) = inner.at_work.get_mut(&pid)
            && work.cancelled.is_none()
            && cancel()
        {
            work.cancelled = Some(why.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_is_not_cancelled_and_what_was_stopped_does_not_begin() {
        let board = Board::default();
        board.begin(1, "t", 0).unwrap();
        board.cancel(2, &Why::Over, || unreachable!("nobody is at work there"));
        board.cancel(1, &Why::Over, || true);
        board.cancel(1, &Why::Deadline, || unreachable!("it was told already"));
        assert_eq!(board.end(1), Some(Why::Over));
        board.cancel(1, &Why::Over, || unreachable!("it has ended"));
        board.stop(&Why::Interrupted);
        board.stop(&Why::Over);
        assert_eq!(board.begin(1, "u", 0), Err(Why::Interrupted));
    }

    #[test]
    fn a_statement_is_beside_those_of_others_and_only_while_they_run() {
        let board = Board::default();
        board.begin(1, "large", 100).unwrap();
        assert!(board.is_beside(2, 99) && !board.is_beside(2, 100) && !board.is_beside(1, 99));
        board.end(1);
        assert!(!board.is_beside(2, 99));
    }
}
