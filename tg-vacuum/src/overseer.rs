//! Looks on while workers work: tells how far they are, makes way for who waits behind them, and ends what has to end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::Session;

use crate::board::{Board, Waiter, Why};
use crate::database::Connection;
use crate::error::Error;
use crate::window::Budget;

/// How often the end is looked for.
const TICK: Duration = Duration::from_millis(20);
/// How often who waits behind us is looked for; a look takes about a millisecond of the server's time.
const LOOK: Duration = Duration::from_millis(200);
/// How often progress is asked for.
const SLOWLY: Duration = Duration::from_secs(1);
/// So long before its limit somebody's wait is ended, for a cancel takes a moment to arrive.
const KEPT: Duration = Duration::from_millis(400);
/// So long before the end statements are cancelled.
const BEFORE_THE_END: Duration = Duration::from_millis(100);

/// Looks on by a connection of its own.
pub(crate) struct Overseer<'a> {
    pub(crate) session: &'a Session,
    pub(crate) board: &'a Board,
    pub(crate) budget: Budget,
    pub(crate) connection: &'a mut Connection,
    /// How long somebody may wait behind us.
    pub(crate) patience: Duration,
    /// How many of how many are done, and what they are.
    pub(crate) done: &'a dyn Fn() -> (usize, usize, &'static str),
}

impl Overseer<'_> {
    /// Until no worker is left. A worker that ends may unpark this thread.
    pub(crate) fn watch(mut self, workers: &AtomicUsize) -> Result<(), Error> {
        let mut waits: HashMap<(i32, i32), Instant> = HashMap::new();
        let (mut looked, mut told) = (Instant::now(), Instant::now());
        let mut blind = false;
        while workers.load(Ordering::Acquire) > 0 {
            std::thread::park_timeout(TICK);
            if let Some(why) = self.end() {
                self.board.stop(&why);
                for pid in self.board.at_work().keys() {
                    self.cancel(*pid, &why);
                }
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                if let Err(error) = self.look(&mut waits)
                    && !blind
                {
                    blind = true;
                    let msg = format!("who waits behind us can't be seen: {error}");
                    self.session.emit.warning("blind", &msg, json!({}))?;
                }
            }
            if told.elapsed() >= SLOWLY {
                told = Instant::now();
                self.tell()?;
            }
        }
        Ok(())
    }

    fn end(&self) -> Option<Why> {
        if self.session.interrupt.check().is_err() {
            Some(Why::Interrupted)
        } else if self.session.deadline.passed() {
            Some(Why::Deadline)
        } else if self.budget.left().is_some_and(|left| left <= BEFORE_THE_END) {
            Some(Why::Over)
        } else {
            None
        }
    }

    fn cancel(&mut self, pid: i32, why: &Why) {
        let client = &mut self.connection.client;
        self.board.cancel(pid, why, || {
            client.query_one("SELECT pg_catalog.pg_cancel_backend($1)", &[&pid]).is_ok()
        });
    }

    /// Makes way for who has waited too long.
    fn look(
        &mut self,
        waits: &mut HashMap<(i32, i32), Instant>,
    ) -> Result<(), tg_core::database::QueryError> {
        let ours: Vec<i32> = self.board.at_work().into_keys().collect();
        if ours.is_empty() {
            waits.clear();
            return Ok(());
        }
        let rows = self.connection.ask(include_str!("sql/waiters.sql"), &[&ours])?;
        let now = Instant::now();
        let mut seen = HashMap::new();
        for row in &rows {
            let waiter = Waiter {
                pid: row.try_get("pid")?,
                user: row.try_get("user")?,
                application: row.try_get("application")?,
                query: row.try_get("query")?,
            };
            let key = (waiter.pid, row.try_get("blocker")?);
            // It may have waited since the last look.
            let since = waits.get(&key).copied().unwrap_or(now.checked_sub(LOOK).unwrap_or(now));
            seen.insert(key, since);
            if since.elapsed() + KEPT >= self.patience {
                self.cancel(key.1, &Why::MadeWay(waiter));
            }
        }
        *waits = seen;
        Ok(())
    }

    fn tell(&mut self) -> Result<(), Error> {
        let rows = self.connection.ask(include_str!("sql/progress.sql"), &[]).unwrap_or_default();
        let at_work = self.board.at_work();
        let (mut scanned, mut total) = (0, 0);
        for row in &rows {
            if row.try_get("pid").is_ok_and(|pid: i32| at_work.contains_key(&pid)) {
                scanned += row.try_get("scanned").unwrap_or(0);
                total += row.try_get("total").unwrap_or(0_i64);
            }
        }
        let labels: Vec<String> = at_work.into_values().map(|work| work.label).collect();
        if labels.is_empty() {
            return Ok(());
        }
        let emit = &self.session.emit;
        if total > 0 && labels.len() == 1 {
            let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
            return Ok(emit.progress(
                &format!("maintaining {}", labels[0]),
                unsigned(scanned),
                unsigned(total),
                "pages",
            )?);
        }
        let (done, all, what) = (self.done)();
        Ok(emit.progress(&format!("maintaining {all} {what}"), done as u64, all as u64, what)?)
    }
}
