//! A worker: batch after batch, intent, statement, outcome, and what it changed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use serde_json::{Value, json};
use tg_core::Session;
use tg_core::event::StepState;

use crate::board::{Board, Why};
use crate::count::{Change, Look};
use crate::database::Connection;
use crate::ended::{Ended, Heard, told_of};
use crate::error::Error;
use crate::halves::Halves;
use crate::holder::Holder;
use crate::outcome::{self, Outcome};
use crate::proof::Proof;
use crate::queue::{Batch, Job, Queue};
use crate::statement::{Action, Manner};
use crate::summary::Summary;
use crate::table::Table;
use crate::text;
use crate::times::Times;
use crate::verbose::{self, Done};
use crate::window::Budget;

/// The server cancels what our own cancel did not reach so long after the end.
const BACKSTOP: Duration = Duration::from_secs(1);
/// Beside a table of more bytes commits wait for the disk. The run waits for that table, which has the log flushed for each page
/// that it puts out of its ring of buffers (`GetBufferFromRing` in `freelist.c`, `FlushBuffer` in `bufmgr.c`): commits that wait
/// do so in its stead, and leave it the processor meanwhile. `make bench-vacuum` shows it.
const LARGE: i64 = 64 << 20;
/// What is kept of the time that is left for what comes after the last table.
const KEPT: Duration = Duration::from_millis(200);

/// What all workers share.
pub(crate) struct Shop<'a> {
    pub(crate) session: &'a Session,
    pub(crate) board: &'a Board,
    pub(crate) manner: Manner,
    pub(crate) budget: Budget,
    /// An age at which nothing has to be frozen yet.
    pub(crate) young: i32,
    /// The database's name.
    pub(crate) database: &'a str,
    pub(crate) queue: Mutex<Queue>,
    pub(crate) summary: Mutex<Summary>,
    pub(crate) times: Mutex<Times>,
    /// Who kept dead rows from being removed, and rows from being frozen, before the first table.
    pub(crate) holders: &'a [Holder],
}

/// What comes next for a table.
enum Next {
    Ended(Outcome),
    /// Somebody waited behind it.
    MadeWay,
    /// Another table of its statement failed.
    Alone,
    /// Not all of it could be frozen yet.
    Again,
}

impl Shop<'_> {
    /// Does batch after batch until nothing is left that fits, or all were stopped.
    pub(crate) fn work(&self, connection: &mut Connection) -> Result<(), Error> {
        while self.board.stopped().is_none() {
            let batch = held(&self.queue).next(self.left());
            let Some(batch) = batch else { break };
            self.take(connection, batch)?;
        }
        Ok(())
    }

    /// Looks at a batch, and does first what takes its TOAST with it, then the rest.
    fn take(&self, connection: &mut Connection, batch: Batch) -> Result<(), Error> {
        let before = self.look(connection, &batch);
        let (with, without): (Batch, Batch) =
            batch.into_iter().partition(|job| job.action.takes_toast(before.of(job.table.oid)));
        self.batch(connection, with, true, &before)?;
        self.batch(connection, without, false, &before)
    }

    fn look(&self, connection: &mut Connection, batch: &Batch) -> Look {
        let oids: Vec<u32> = batch.iter().map(|job| job.table.oid).collect();
        Look::at(connection, &oids, self.young)
    }

    /// What is left for tables.
    fn left(&self) -> Option<Duration> {
        Some(self.budget.left()?.saturating_sub(KEPT))
    }

    fn batch(
        &self,
        connection: &mut Connection,
        batch: Batch,
        toast: bool,
        before: &Look,
    ) -> Result<(), Error> {
        let Some(first) = batch.first() else { return Ok(()) };
        let (action, label) = (first.action, label(&batch));
        let msg = format!("{} {label}", action.name());
        let bytes = batch.iter().map(|job| job.table.bytes()).sum();
        if self.board.begin(connection.pid, &label, bytes).is_err() {
            held(&self.queue).again(batch);
            return Ok(());
        }
        self.session.emit.step(action.name(), StepState::Started, &msg, names(&batch))?;
        let begun = Instant::now();
        let answer = self.execute(connection, &batch, action, toast);
        let why = self.board.end(connection.pid);
        let took = begun.elapsed();
        let mut data = names(&batch);
        data["duration_ms"] = json!(took.as_millis());
        let state = match &answer {
            Ok(Ok(())) => StepState::Succeeded,
            Ok(Err(error)) => {
                data["error"] = json!(error.to_string());
                StepState::Failed
            }
            Err(error) => {
                data["error"] = json!(error.to_string());
                StepState::Failed
            }
        };
        self.session.emit.step(action.name(), state, &msg, data)?;
        let keeper = if action == Action::Freeze { self.keeper(connection) } else { None };
        self.judge(connection, batch, Ended { action, toast, answer: answer?, why, took, before, keeper })
    }

    /// Runs the statement; its answer.
    fn execute(
        &self,
        connection: &mut Connection,
        batch: &Batch,
        action: Action,
        toast: bool,
    ) -> Result<Result<(), tg_core::database::QueryError>, Error> {
        let ends = [self.budget.left(), self.session.deadline.left()];
        let limit = ends.into_iter().flatten().min().map(|left| left + BACKSTOP);
        connection.notices.take();
        let tables: Vec<&Table> = batch.iter().map(|job| &job.table).collect();
        let again = batch.iter().any(|job| job.again);
        let statement = self.manner.statement(action, &tables, again, toast);
        let lazy = !self.board.is_beside(connection.pid, LARGE);
        let answer = connection
            .commit_lazily(lazy)
            .and_then(|()| connection.limit(limit))
            .and_then(|()| connection.client.batch_execute(&statement));
        let Err(error) = answer else { return Ok(Ok(())) };
        let error = error.unless_silent()?;
        if connection.client.is_closed() || ends_the_session(&error) {
            return Err(Error::Lost { problem: error.to_string(), summary: held(&self.summary).data() });
        }
        Ok(Err(error))
    }

    /// What became of each table of a batch; what an error left undone is done one by one.
    fn judge(&self, connection: &mut Connection, batch: Batch, ended: Ended<'_>) -> Result<(), Error> {
        let said = connection.notices.take();
        let after = self.look(connection, &batch);
        let mut told = verbose::read(&said, self.database);
        let heard = Heard::new(&said, batch.len() == 1);
        let pages: i64 = batch.iter().map(|job| job.table.bytes().max(1)).sum();
        let (mut undone, mut waiting) = (Vec::new(), Vec::new());
        for job in batch {
            let told = told_of(&mut told, &job.table);
            let change =
                Change::between(ended.before, &after, job.table.oid, self.manner.server.counts_late());
            let halves = ended.halves(&job, change, told.as_ref(), &heard);
            let done = told.map(|(done, _)| done);
            let outcome = match self.outcome(&job, &ended, &halves, done, &heard) {
                _ if after.is_gone(job.table.oid) && ended.answer.is_ok() => {
                    Outcome::Skipped("it is gone".into())
                }
                Next::Ended(outcome) => outcome,
                Next::MadeWay => {
                    waiting.push(job);
                    continue;
                }
                Next::Alone => {
                    undone.push(job);
                    continue;
                }
                Next::Again => {
                    let frozen_to = job.frozen_to.or(change.before.map(|before| before.next));
                    held(&self.queue).again([Job { frozen_to, ..job }]);
                    continue;
                }
            };
            let took = ended.took.mul_f64(crate::table::ratio(job.table.bytes().max(1), pages));
            self.finish(&job, ended.action, outcome, halves, change, took)?;
        }
        self.make_way(waiting, ended.why)?;
        for job in undone {
            self.take(connection, vec![job])?;
        }
        Ok(())
    }

    fn outcome(
        &self,
        job: &Job,
        ended: &Ended<'_>,
        halves: &Halves,
        done: Option<Done>,
        heard: &Heard<'_>,
    ) -> Next {
        Next::Ended(match (&ended.answer, &ended.why) {
            // A transaction of a moment may be gone when it comes again; who stays would have every table read twice.
            (Ok(()), _) if halves.only_unfrozen() => {
                if ended.keeper.is_none() && !job.again {
                    return Next::Again;
                }
                outcome::of_success(halves, done, ended.keeper.as_deref().unwrap_or_default())
            }
            (Ok(()), _) => outcome::of_success(halves, done, &heard.warnings(&job.table)),
            // The error was another table's.
            (Err(_), _) if !heard.alone && halves.all().is_yes() => Outcome::Done(done),
            (Err(error), Some(Why::MadeWay(_))) if is_cancel(error) && !job.again => return Next::MadeWay,
            (Err(error), Some(why)) if is_cancel(error) => Outcome::Cut(why.clone()),
            // The backstop, or somebody else's cancel.
            (Err(error), None) if is_cancel(error) && self.budget.is_over() => Outcome::Cut(Why::Over),
            (Err(_), _) if !heard.alone => return Next::Alone,
            (Err(error), _) => outcome::of_error(halves, done, error),
        })
    }

    /// Whoever kept rows from being frozen since before the first table, and still does.
    fn keeper(&self, connection: &mut Connection) -> Option<String> {
        let now = Holder::all(&mut connection.client).unwrap_or_default();
        let held = |holder: &&Holder| holder.holds_tables() && self.holders.iter().any(|b| b.is(holder));
        now.iter().find(held).map(Holder::sentence)
    }

    /// Tables whose statement was cancelled for who waited behind it come again.
    fn make_way(&self, waiting: Batch, why: Option<Why>) -> Result<(), Error> {
        let Some(Why::MadeWay(waiter)) = why.filter(|_| !waiting.is_empty()) else { return Ok(()) };
        let msg = format!("{} made way: {}; it comes again at the end", label(&waiting), waiter.sentence());
        let mut data = names(&waiting);
        data["waiter"] = waiter.data();
        held(&self.queue).again(waiting);
        Ok(self.session.emit.warning("made-way", &msg, data)?)
    }

    fn finish(
        &self,
        job: &Job,
        action: Action,
        outcome: Outcome,
        halves: Halves,
        change: Change<'_>,
        took: Duration,
    ) -> Result<(), Error> {
        let cut = outcome == Outcome::Cut(Why::Over);
        if cut || matches!(outcome, Outcome::Done(_)) {
            held(&self.times).learn(&job.table, action, took, cut);
        }
        let exact = self.manner.server.statistics_at_once();
        let proof = Proof {
            table: &job.table,
            action,
            outcome,
            halves,
            dead: change.after.filter(|_| exact).map(|count| count.dead),
            size_before: change.before.and_then(|count| count.size),
            size_after: change.after.and_then(|count| count.size),
            took,
            predicted: job.predicted,
        };
        held(&self.summary).count(&proof);
        Ok(self.session.emit.record(&proof.sentence(), proof.data())?)
    }
}

/// A lock that is held for a moment.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn label(batch: &Batch) -> String {
    match batch.as_slice() {
        [job] => job.table.label(),
        jobs => text::tables(jobs.len()),
    }
}

fn names(batch: &Batch) -> Value {
    match batch.as_slice() {
        [job] => Value::Object(job.table.names()),
        jobs => json!({"tables": jobs.iter().map(|job| job.table.names()).collect::<Vec<_>>()}),
    }
}

fn is_cancel(error: &tg_core::database::QueryError) -> bool {
    error.code() == Some(&SqlState::QUERY_CANCELED)
}

/// Whether the server says goodbye; the client learns of the closed connection only later.
fn ends_the_session(error: &tg_core::database::QueryError) -> bool {
    let farewells = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
    error.code().is_some_and(|code| farewells.contains(code))
}
