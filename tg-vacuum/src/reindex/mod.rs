//! `tg-vacuum reindex`: indexes that are invalid or bloated are built anew beside the old ones, and what interrupted attempts left goes.

mod choice;
mod flags;
mod task;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tg_core::database::DatabaseFlags;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::state::State;
use tg_core::{Answer, Error as CoreError, Exit, Session, history};

use self::choice::Candidates;
pub(crate) use self::flags::ReindexFlags;
use self::task::{Outcome, Task};
use crate::board::{Board, Why};
use crate::database::{Access, Connection};
use crate::disk;
use crate::error::Error;
use crate::maintain::held;
use crate::overseer::Overseer;
use crate::server::Server;
use crate::text;
use crate::times::Times;
use crate::window::Budget;

/// `REINDEX CONCURRENTLY` and `CREATE INDEX CONCURRENTLY` could leave rows out of an index in 14.0 to 14.3 (release notes of 14.4).
const BROKEN: std::ops::RangeInclusive<i32> = 140_000..=140_003;
/// Beyond the new index: what the write-ahead log and sorting take meanwhile.
const ROOM: f64 = 1.5;

/// What is known before the first index.
pub(crate) struct Reindex<'a> {
    session: &'a Session,
    flags: &'a ReindexFlags,
    access: Access,
    budget: Budget,
}

/// Builds anew what needs it.
pub(crate) fn reindex(
    session: &Session,
    database: &DatabaseFlags,
    flags: &ReindexFlags,
) -> Result<Answer, Error> {
    let budget = flags.time.budget()?;
    let project = Project::load(session)?;
    let (access, mut connection) = Access::find(session, &project, database, flags.lock_timeout)?;
    refuse(&access.place, access.server)?;
    let reindex = Reindex { session, flags, access, budget };
    let state = project.state()?;
    let candidates = Candidates::find(&mut connection.client, flags).map_err(CoreError::from)?;
    reindex.start(&candidates)?;
    candidates.warn(session)?;
    let mut times = Times::of(&state, &reindex.access.place);
    if flags.dry_run {
        return reindex.dry_run(&candidates.tasks, &times);
    }
    let _lock = session.begin_change(&state)?;
    connection.end_orphans(session)?;
    let free = disk::free(&Engine::connect(&session.bounds())?, reindex.access.container(), &mut connection);
    let done = reindex.all(&mut connection, candidates.tasks, &mut times, free)?;
    if let Err(error) = times.save() {
        session.emit.warning("times", &format!("how long indexes took is not kept: {error}"), json!({}))?;
    }
    reindex.conclude(&state, &done)
}

fn refuse(place: &str, server: Server) -> Result<(), Error> {
    if server.standby {
        return Err(Error::Standby { place: place.to_owned() });
    }
    if BROKEN.contains(&server.number) {
        return Err(Error::BrokenServer { version: format!("14.{}", server.number % 100) });
    }
    Ok(())
}

impl Reindex<'_> {
    fn start(&self, candidates: &Candidates) -> Result<(), CoreError> {
        let data = json!({
            "version": env!("CARGO_PKG_VERSION"), "database": self.access.place,
            "server_version": self.access.server.major(), "indexes": candidates.tasks.len(), "max_bloat": self.flags.max_bloat,
            "dry_run": self.flags.dry_run, "budget_ms": self.budget.data(), "lock_timeout_ms": self.flags.lock_timeout.as_millis(),
        });
        self.session.emit.start(
            &format!("{} of {} to build anew", indexes(candidates.tasks.len()), self.access.place),
            data,
        )
    }

    fn dry_run(&self, tasks: &[Task], times: &Times) -> Result<Answer, Error> {
        let mut spent = Duration::ZERO;
        for task in tasks {
            let predicted = task.predict(times);
            spent += predicted;
            let mut data = task.data();
            data.insert("predicted_ms".into(), json!(predicted.as_millis()));
            data.insert("planned".into(), json!(true));
            let msg = format!("would {}, about {}", task.sentence(), text::time(predicted.as_secs_f64()));
            self.session.emit.record(&msg, Value::Object(data))?;
        }
        let data = json!({"indexes": tasks.len(), "predicted_ms": spent.as_millis(), "dry_run": true, "changed": false});
        Ok(Answer::yes(format!("{}; nothing was done, this is a dry run", indexes(tasks.len())), data))
    }

    /// One after another: each takes the disk of a second copy.
    fn all(
        &self,
        connection: &mut Connection,
        tasks: Vec<Task>,
        times: &mut Times,
        free: Option<u64>,
    ) -> Result<Vec<(Task, Outcome)>, Error> {
        let board = Board::default();
        let mut worker = self.access.connect()?;
        let working = AtomicUsize::new(1);
        let total = tasks.len();
        let finished = AtomicUsize::new(0);
        let result = std::sync::Mutex::new(Ok(Vec::new()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                *held(&result) = self.each(&board, &mut worker, tasks, times, free, &finished);
                working.store(0, Ordering::Release);
            });
            let overseer = Overseer {
                session: self.session,
                board: &board,
                budget: self.budget,
                connection,
                patience: self.flags.lock_timeout,
                done: &|| (finished.load(Ordering::Relaxed), total, "indexes"),
            };
            overseer.watch(&working)
        })?;
        match board.stopped() {
            Some(why @ (Why::Interrupted | Why::Deadline)) => {
                let stop = |cause| Error::Stopped {
                    cause,
                    summary: json!({"indexes": total, "done": finished.load(Ordering::Relaxed)}),
                };
                if why == Why::Interrupted {
                    self.session.interrupt.check().map_err(stop)?;
                }
                Err(stop(self.session.deadline.error("reindexing")))
            }
            _ => result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    fn each(
        &self,
        board: &Board,
        worker: &mut Connection,
        tasks: Vec<Task>,
        times: &mut Times,
        mut free: Option<u64>,
        finished: &AtomicUsize,
    ) -> Result<Vec<(Task, Outcome)>, Error> {
        let mut done = Vec::new();
        for task in tasks {
            let predicted = task.predict(times);
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an estimate of bytes"
            )]
            let needed = (task.new_size() as f64 * ROOM) as u64;
            let outcome = if board.stopped().is_some() {
                Outcome::Left("there was no time left".into())
            } else if self.budget.left().is_some_and(|left| predicted > left) {
                Outcome::Left(format!(
                    "it takes about {} and would not fit",
                    text::time(predicted.as_secs_f64())
                ))
            } else if task.builds() && free.is_some_and(|free| needed > free) {
                let free = tg_core::bytes::size(free.unwrap_or(0));
                Outcome::Left(format!("it needs {} of disk, {free} are free", tg_core::bytes::size(needed)))
            } else {
                task.run(self.session, board, worker, self.budget)?
            };
            if let Outcome::Done { took, .. } = &outcome {
                task.learn(times, *took, false);
                free = free.map(|free| free.saturating_add(task.gives_back(&outcome)));
            }
            if let Outcome::Cut { took, why: Why::Over } = &outcome {
                task.learn(times, *took, true);
            }
            self.session.emit.record(&task.told(&outcome), Value::Object(task.record(&outcome)))?;
            finished.fetch_add(1, Ordering::Relaxed);
            done.push((task, outcome));
        }
        Ok(done)
    }

    fn conclude(&self, state: &State, done: &[(Task, Outcome)]) -> Result<Answer, Error> {
        let count = |is: fn(&Outcome) -> bool| done.iter().filter(|(_, outcome)| is(outcome)).count();
        let rebuilt = count(|outcome| matches!(outcome, Outcome::Done { .. }));
        let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let left = count(|outcome| matches!(outcome, Outcome::Left(_) | Outcome::Cut { .. }));
        let freed: u64 = done.iter().map(|(task, outcome)| task.gives_back(outcome)).sum();
        let data = json!({
            "indexes": done.len(), "done": rebuilt, "failed": failed, "left": left, "freed_bytes": freed, "changed": rebuilt > 0,
            "database": self.access.place,
        });
        if let Value::Object(facts) = &data {
            history::append(state, &self.session.run, self.session.tool, "reindex", facts.clone())?;
        }
        let msg =
            format!("{} of {} done, {} freed", rebuilt, indexes(done.len()), tg_core::bytes::size(freed));
        let msg = if left > 0 { format!("{msg}; {} left", indexes(left)) } else { msg };
        let stuck = left > 0 && rebuilt == 0;
        Ok(Answer { exit: if failed > 0 || stuck { Exit::No } else { Exit::Done }, msg, data })
    }
}

/// `1 index`, `2 indexes`.
fn indexes(n: usize) -> String {
    if n == 1 { "1 index".into() } else { format!("{n} indexes") }
}
