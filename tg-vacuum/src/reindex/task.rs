//! One index: what is done to it, how long that will take, and what came of it.

use std::time::{Duration, Instant};

use postgres::error::SqlState;
use serde_json::{Map, Value, json};
use tg_core::Session;
use tg_core::event::StepState;

use crate::bloat::Bloat;
use crate::board::{Board, Why};
use crate::database::Connection;
use crate::error::Error;
use crate::notice::Said;
use crate::report::index::Index;
use crate::text;
use crate::times::Times;
use crate::window::Budget;

/// The server cancels what our own cancel did not reach so long after the end.
const BACKSTOP: Duration = Duration::from_secs(1);
/// What removing a leftover may take: it waits for those who read the table.
const CLEAN_UP: Duration = Duration::from_secs(5);
/// The index that has this name now.
const NOW: &str = "SELECT c.oid, i.indisvalid AND i.indisready AND i.indislive, pg_catalog.pg_relation_size(c.oid) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid WHERE n.nspname = $1 AND c.relname = $2";
/// What an interrupted attempt at this index left: invalid, of the same table, named after it.
const LEFT: &str = "SELECT n.nspname::pg_catalog.text, x.relname::pg_catalog.text FROM pg_catalog.pg_index i \
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace \
    WHERE i.indrelid = $1 AND NOT i.indisvalid AND x.relname ~ '_cc(new|old)[0-9]*$'";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// What an interrupted attempt left goes.
    Drop,
    /// It can't be read, and is built anew.
    Repair,
    /// It is bloated, and is built anew.
    Rebuild,
}

/// An index that needs it.
pub(super) struct Task {
    pub(super) index: Index,
    pub(super) work: Work,
    pub(super) bloat: Option<Bloat>,
}

/// The index by its name, as the catalog has it after the statement.
#[derive(Clone, Copy, Debug)]
struct Now {
    oid: u32,
    /// It can be read, and is written.
    valid: bool,
    size: i64,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Done {
        took: Duration,
        size: Option<i64>,
    },
    /// Nothing was begun.
    Left(String),
    /// Cancelled; what it had built is gone, or is told.
    Cut {
        took: Duration,
        why: Why,
    },
    Failed(String),
}

impl Task {
    /// Whether a second copy is built.
    pub(super) fn builds(&self) -> bool {
        self.work != Work::Drop
    }

    /// Bytes that it will have.
    pub(super) fn new_size(&self) -> i64 {
        let size = self.index.size.unwrap_or(0);
        size - self.bloat.as_ref().map_or(0, |bloat| bloat.bytes)
    }

    pub(super) fn predict(&self, times: &Times) -> Duration {
        if self.builds() {
            times.predict_index(&self.index.quoted(), self.index.size.unwrap_or(0))
        } else {
            CLEAN_UP
        }
    }

    pub(super) fn learn(&self, times: &mut Times, took: Duration, cut: bool) {
        if self.builds() {
            times.learn_index(&self.index.quoted(), self.index.size.unwrap_or(0), took, cut);
        }
    }

    /// Bytes that are free again.
    pub(super) fn gives_back(&self, outcome: &Outcome) -> u64 {
        let before = self.index.size.unwrap_or(0);
        match outcome {
            Outcome::Done { size, .. } => tg_core::bytes::unsigned(before - size.unwrap_or(before)),
            _ => 0,
        }
    }

    fn statement(&self) -> String {
        let name = self.index.quoted();
        if self.builds() {
            format!("REINDEX INDEX CONCURRENTLY {name}")
        } else {
            format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")
        }
    }

    fn step(&self) -> &'static str {
        if self.builds() { "reindex" } else { "drop-leftover" }
    }

    /// Does it; fails only when there is no use in going on.
    pub(super) fn run(
        &self,
        session: &Session,
        board: &Board,
        worker: &mut Connection,
        budget: Budget,
    ) -> Result<Outcome, Error> {
        let label = self.index.label();
        if let Err(why) = board.begin(worker.pid, &label, self.index.size.unwrap_or(0)) {
            return Ok(Outcome::Left(why.sentence()));
        }
        let msg = self.sentence();
        session.emit.step(self.step(), StepState::Started, &msg, Value::Object(self.data()))?;
        let begun = Instant::now();
        let limit =
            [budget.left(), session.deadline.left()].into_iter().flatten().min().map(|left| left + BACKSTOP);
        worker.notices.take();
        let answer = worker.limit(limit).and_then(|()| worker.client.batch_execute(&self.statement()));
        let answer = match answer {
            Err(error) => Err(error.unless_silent()?),
            Ok(()) => Ok(()),
        };
        let why = board.end(worker.pid);
        let took = begun.elapsed();
        let outcome = match &answer {
            Ok(()) => match self.now(worker) {
                Ok(now) => self.came_to(now, took, &worker.notices.take()),
                Err(error) => Outcome::Failed(format!("nobody can tell what became of it: {error}")),
            },
            Err(error) if worker.client.is_closed() => {
                return Err(Error::Lost { problem: error.to_string(), summary: json!({"index": label}) });
            }
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                Outcome::Cut { took, why: why.unwrap_or(Why::Over) }
            }
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => {
                Outcome::Left("it is gone".into())
            }
            Err(error) => Outcome::Failed(error.to_string()),
        };
        if answer.is_err() && self.builds() {
            self.clean_up(session, worker)?;
        }
        let done = matches!(outcome, Outcome::Done { .. });
        let state = if done { StepState::Succeeded } else { StepState::Failed };
        let mut data = self.record(&outcome);
        if let Err(error) = &answer {
            data.insert("error".into(), json!(error.to_string()));
        }
        session.emit.step(self.step(), state, &msg, Value::Object(data))?;
        Ok(outcome)
    }

    fn now(&self, worker: &mut Connection) -> Result<Option<Now>, tg_core::database::QueryError> {
        let row = worker.client.query_opt(NOW, &[&self.index.schema, &self.index.name])?;
        let now = |row: postgres::Row| {
            Ok(Now { oid: row.try_get(0)?, valid: row.try_get(1)?, size: row.try_get(2)? })
        };
        row.map(now).transpose()
    }

    /// What a statement without an error has done is what the catalog says: a new index is another one under the old name.
    fn came_to(&self, now: Option<Now>, took: Duration, said: &[Said]) -> Outcome {
        let missing = match now {
            None if !self.builds() => return Outcome::Done { took, size: Some(0) },
            None => return Outcome::Left("it is gone".into()),
            Some(now) if now.oid == self.index.oid && self.builds() => "the server left it as it was",
            Some(_) if !self.builds() => "it is still there",
            Some(now) if !now.valid => "what was built is not valid",
            Some(now) => return Outcome::Done { took, size: Some(now.size) },
        };
        let warnings = said.iter().filter(|said| said.warning).map(|said| said.message.as_str());
        Outcome::Failed(std::iter::once(missing).chain(warnings).collect::<Vec<_>>().join("; "))
    }

    /// An index that was half built costs every write from then on: it goes at once, and where it can't, it is told.
    fn clean_up(&self, session: &Session, worker: &mut Connection) -> Result<(), Error> {
        let rows = worker.client.query(LEFT, &[&self.index.table_oid]).unwrap_or_default();
        let _ = worker.limit(Some(CLEAN_UP));
        for row in rows {
            let (Ok(schema), Ok(name)) = (row.try_get::<_, String>(0), row.try_get::<_, String>(1)) else {
                continue;
            };
            let left = Index { schema, name, ..Index::default() };
            let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", left.quoted());
            if let Err(error) = worker.client.batch_execute(&drop) {
                let msg = format!(
                    "{} is left, which every write has to keep: {}; the next reindex removes it, or: {drop};",
                    left.label(),
                    error
                );
                let data = json!({"schema": left.schema, "table": self.index.table, "index": left.name, "command": drop});
                session.emit.warning("leftover", &msg, data)?;
            }
        }
        Ok(())
    }

    /// For people, after "would".
    pub(super) fn sentence(&self) -> String {
        let label = self.index.label();
        match self.work {
            Work::Drop => format!("drop {label}, which an interrupted attempt left"),
            Work::Repair => format!("build {label} anew, which is not valid"),
            Work::Rebuild => {
                let ratio = self.bloat.as_ref().map_or(0.0, |bloat| bloat.ratio);
                format!(
                    "build {label} anew, {} with {:.0} % bloat",
                    text::bytes(self.index.size),
                    ratio * 100.0
                )
            }
        }
    }

    /// What is known before.
    pub(super) fn data(&self) -> Map<String, Value> {
        let mut data = self.index.names();
        data.insert("kind".into(), json!("index"));
        data.insert("work".into(), json!(self.step()));
        data.insert("size_before".into(), json!(self.index.size));
        data.insert("bloat".into(), self.bloat.as_ref().map_or(Value::Null, Bloat::data));
        data
    }

    /// What came of it.
    pub(super) fn record(&self, outcome: &Outcome) -> Map<String, Value> {
        let mut data = self.data();
        let mut put = |key: &str, value: Value| drop(data.insert(key.into(), value));
        match outcome {
            Outcome::Done { took, size } => {
                put("size_after", json!(size));
                put("duration_ms", json!(took.as_millis()));
            }
            Outcome::Left(reason) => put("left", json!(reason)),
            Outcome::Cut { took, why } => {
                put("cut", json!(why.sentence()));
                put("duration_ms", json!(took.as_millis()));
            }
            Outcome::Failed(reason) => put("failed", json!(reason)),
        }
        data
    }

    /// For people.
    pub(super) fn told(&self, outcome: &Outcome) -> String {
        let label = self.index.label();
        match outcome {
            Outcome::Done { .. } if !self.builds() => {
                format!("{label}: dropped, {} freed", text::bytes(self.index.size))
            }
            Outcome::Done { took, size } => format!(
                "{label}: {} before, {} after, {:.1} s",
                text::bytes(self.index.size),
                text::bytes(*size),
                took.as_secs_f64()
            ),
            Outcome::Left(reason) => format!("{label}: left as it is: {reason}"),
            Outcome::Cut { why, .. } => format!("{label}: cancelled: {}", why.sentence()),
            Outcome::Failed(reason) => format!("{label}: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came_to(work: Work, now: Option<Now>) -> Outcome {
        let task = Task { index: Index { oid: 1, ..Index::default() }, work, bloat: None };
        let said = Said {
            warning: true,
            code: SqlState::WARNING,
            message: "cannot reindex it, skipping".into(),
            detail: String::new(),
        };
        task.came_to(now, Duration::ZERO, &[said])
    }

    #[test]
    fn an_index_is_built_anew_where_the_catalog_has_another_one_that_is_valid() {
        let now = |oid, valid| Some(Now { oid, valid, size: 8192 });
        for work in [Work::Repair, Work::Rebuild] {
            assert!(matches!(came_to(work, now(2, true)), Outcome::Done { size: Some(8192), .. }));
            for not in [now(2, false), now(1, true)] {
                let ended = came_to(work, not);
                assert!(matches!(&ended, Outcome::Failed(why) if why.contains("skipping")), "{ended:?}");
            }
            assert!(matches!(came_to(work, None), Outcome::Left(_)));
        }
        assert!(matches!(came_to(Work::Drop, None), Outcome::Done { size: Some(0), .. }));
        assert!(matches!(came_to(Work::Drop, now(1, false)), Outcome::Failed(_)));
    }
}
