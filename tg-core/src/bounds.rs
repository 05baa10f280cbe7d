//! How long an outside system may keep us waiting: until the deadline or the interrupt, and a moment longer.
//!
//! What was asked before the end has [`GRACE`] to answer by itself, so that a step that is nearly done is done. What is
//! asked after the end, to finish or to undo a step, is given [`UNDO`]; but a system that was silent when the end came
//! is given [`LAST_WORD`] alone, so that the tool ends within a second of its time.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use crate::Error;
use crate::deadline::Deadline;
use crate::interrupt::Interrupt;

/// How long what is being waited for may go on when the end comes.
pub const GRACE: Duration = Duration::from_millis(300);
/// How long one answer may take after the end.
const UNDO: Duration = Duration::from_secs(10);
/// How long a system that was silent at the end is listened to, all in all.
const LAST_WORD: Duration = Duration::from_millis(200);
/// How often the interrupt is looked at.
const TICK: Duration = Duration::from_millis(20);

/// The end of the waiting for one outside system. Clones share what is known of that system.
#[derive(Clone, Debug)]
pub struct Bounds {
    deadline: Deadline,
    interrupt: Interrupt,
    /// Since when it has not answered, once the end has come.
    silent: Arc<Mutex<Option<Instant>>>,
}

impl Bounds {
    /// Of a session, for a system of which nothing is known yet.
    #[must_use]
    pub fn new(deadline: Deadline, interrupt: Interrupt) -> Self {
        Bounds { deadline, interrupt, silent: Arc::default() }
    }

    /// So long from now, whatever the user does.
    #[must_use]
    pub fn within(limit: Duration) -> Self {
        Bounds::new(Deadline::after(Some(limit)), Interrupt::default())
    }

    /// Nothing ends the waiting.
    #[must_use]
    pub fn none() -> Self {
        Bounds::new(Deadline::after(None), Interrupt::default())
    }

    /// The same system, but no longer than so long from now.
    #[must_use]
    pub fn limited(&self, limit: Duration) -> Self {
        let limit = self.deadline.left().map_or(limit, |left| left.min(limit));
        Bounds { deadline: Deadline::after(Some(limit)), ..self.clone() }
    }

    /// Why nothing is waited for any more, if that is so.
    pub fn check(&self, doing: &str) -> Result<(), Error> {
        self.interrupt.check()?;
        if self.deadline.passed() { Err(self.deadline.error(doing)) } else { Ok(()) }
    }

    /// Waits for an answer, but not beyond the end. Needs a runtime with a timer.
    pub(crate) async fn wait<T>(&self, doing: &str, answer: impl Future<Output = T>) -> Result<T, Error> {
        let over = async {
            match self.check(doing) {
                Ok(()) => self.end(doing).await,
                Err(why) => {
                    tokio::time::sleep(self.left_after_the_end()).await;
                    why
                }
            }
        };
        match select(pin!(answer), pin!(over)).await {
            Either::Left((answer, _)) => {
                self.heard();
                Ok(answer)
            }
            Either::Right((why, _)) => {
                self.silence().get_or_insert_with(Instant::now);
                Err(why)
            }
        }
    }

    /// Waits for the end, and its grace.
    async fn end(&self, doing: &str) -> Error {
        loop {
            tokio::time::sleep(self.deadline.left().map_or(TICK, |left| left.min(TICK))).await;
            if let Err(why) = self.check(doing) {
                tokio::time::sleep(GRACE).await;
                return why;
            }
        }
    }

    fn left_after_the_end(&self) -> Duration {
        self.silence().map_or(UNDO, |since| LAST_WORD.saturating_sub(since.elapsed()))
    }

    /// It has answered, whatever it said.
    pub(crate) fn heard(&self) {
        *self.silence() = None;
    }

    fn silence(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    async fn never() {
        std::future::pending::<()>().await;
    }

    #[test]
    fn a_wait_ends_with_the_deadline_and_says_what_was_waited_for() {
        let bounds = Bounds::within(Duration::from_millis(10));
        let error = run(bounds.wait("asking", never())).unwrap_err();
        assert!(matches!(&error, Error::Deadline { doing, .. } if doing == "asking"), "{error}");
    }

    #[test]
    fn a_wait_ends_with_the_interrupt() {
        let bounds = Bounds::new(Deadline::after(None), Interrupt::raised());
        // It is after the end already, and the system has not been silent so far.
        assert!(run(bounds.wait("asking", async {})).is_ok(), "a step is finished or undone");
        bounds.silence().replace(Instant::now());
        assert!(matches!(run(bounds.wait("asking", never())), Err(Error::Terminated)));
    }

    #[test]
    fn who_was_silent_at_the_end_is_not_waited_for_again_and_who_answers_is() {
        let bounds = Bounds::within(Duration::ZERO);
        bounds.silence().replace(Instant::now());
        let begun = Instant::now();
        for _ in 0..10 {
            assert!(run(bounds.wait("undoing", never())).is_err());
        }
        assert!(begun.elapsed() < UNDO, "ten questions take one last word");
        run(bounds.wait("undoing", async {})).unwrap();
        assert_eq!(bounds.left_after_the_end(), UNDO);
    }
}
