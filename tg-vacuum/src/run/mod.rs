//! The run: every table in its turn, by as many workers as were asked for, in the time that there is.

mod crew;
mod flags;
mod preview;

use std::sync::Mutex;

use serde_json::{Value, json};
use tg_core::database::Client;
use tg_core::database::DatabaseFlags;
use tg_core::project::Project;
use tg_core::state::State;
use tg_core::{Answer, Error as CoreError, Session, history};

pub(crate) use self::flags::RunFlags;
use crate::analyze;
use crate::board::{Board, Why};
use crate::conclusion;
use crate::cycle::{self, Cycle};
use crate::database::{Access, Connection};
use crate::error::Error;
use crate::freeze::Limits;
use crate::holder::Holder;
use crate::maintain::Shop;
use crate::queue::{Job, Queue};
use crate::statement::{DATABASE_STATS, Manner};
use crate::summary::Summary;
use crate::table::Table;
use crate::text;
use crate::times::Times;
use crate::window::Budget;
use crate::worth;

/// What is known before the first table.
struct Run<'a> {
    session: &'a Session,
    flags: &'a RunFlags,
    stages: Stages,
    /// Only tables that lack statistics.
    missing: bool,
    access: Access,
    budget: Budget,
    limits: Limits,
}

/// How often the statistics are made, and how exactly: `default_statistics_target` of each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stages {
    /// Once, as exactly as the server is set.
    One,
    /// Coarsely, better, and as the server is set: the first plans are usable soon.
    Three,
}

impl Stages {
    fn targets(self) -> &'static [Option<i32>] {
        match self {
            Stages::One => &[None],
            Stages::Three => &[Some(1), Some(10), None],
        }
    }
}

/// Vacuums and analyses, or only analyses, the tables that are meant.
pub(crate) fn run(session: &Session, database: &DatabaseFlags, flags: &RunFlags) -> Result<Answer, Error> {
    maintain(session, database, flags, Stages::One, false, |_| Ok(()))
}

/// The same in stages, and for no other tables than those that lack statistics (`missing`), unless it is refused.
pub(crate) fn maintain(
    session: &Session,
    database: &DatabaseFlags,
    flags: &RunFlags,
    stages: Stages,
    missing: bool,
    refuse: impl FnOnce(&mut Client) -> Result<(), Error>,
) -> Result<Answer, Error> {
    let budget = flags.budget()?;
    let project = Project::load(session)?;
    let choice = flags.choice()?;
    let (access, mut connection) = Access::find(session, &project, database, flags.lock_timeout())?;
    if access.server.standby {
        return Err(Error::Standby { place: access.place });
    }
    let limits = Limits::ask(&mut connection.client)?;
    let run = Run { session, flags, stages, missing, access, budget, limits };
    refuse(&mut connection.client)?;
    let only =
        missing.then(|| analyze::missing(&mut connection.client, run.access.server, false)).transpose()?;
    // Where time is not short, sizes but order the tables.
    let exact = budget.is_limited() || flags.dry_run;
    let all = Table::list(&mut connection.client, run.access.server, exact)?;
    let mut tables = choice.of(all, limits.early())?;
    tables.retain(|table| only.as_ref().is_none_or(|only| only.contains_key(&table.oid)));
    run.start(tables.len())?;
    let state = project.state()?;
    let times = Times::of(&state, &run.access.place);
    if flags.dry_run {
        return run.dry_run(tables, &times, &state);
    }
    let _lock = session.begin_change(&state)?;
    run.all(&mut connection, tables, times, &state)
}

impl Run<'_> {
    fn start(&self, tables: usize) -> Result<(), Error> {
        let action = self.flags.action();
        let data = json!({
            "version": env!("CARGO_PKG_VERSION"), "database": self.access.place,
            "server_version": self.access.server.major(), "tables": tables,
            "action": action.name(), "dry_run": self.flags.dry_run, "jobs": self.flags.jobs(),
            "throttle": self.flags.throttle().name(), "budget_ms": self.budget.data(),
            "lock_timeout_ms": self.flags.lock_timeout().as_millis(),
        });
        let time = self.budget.whole().map(|whole| format!(" in {}", text::time(whole.as_secs_f64())));
        let msg = format!(
            "{} of {} at {}{}",
            action.command(),
            text::tables(tables),
            self.access.place,
            time.unwrap_or_default()
        );
        Ok(self.session.emit.start(&msg, data)?)
    }

    /// The tables in their order, with what will be done to each; without those that this time round are done.
    fn jobs(&self, mut tables: Vec<Table>, times: &Times, cycle: Option<&Cycle>) -> (Vec<Job>, usize) {
        let action = self.flags.action();
        let all = tables.len();
        tables.retain(|table| cycle.is_none_or(|cycle| !cycle.has_done(table, action.on(table))));
        let done = all - tables.len();
        if self.budget.is_limited() {
            worth::by_worth(&mut tables, self.limits.early());
        } else {
            worth::by_size(&mut tables);
        }
        // The statistics of parents are made of those of their partitions' rows: last.
        tables.sort_by_key(|table| table.parent);
        let job = |table: Table| {
            let action = action.on(&table);
            let predicted = times.predict(&table, action, self.limits.is_aggressive(&table));
            Job { table, action, predicted, again: false, frozen_to: None }
        };
        (tables.into_iter().map(job).collect(), done)
    }

    fn cycle(&self, state: &State) -> Option<Cycle> {
        // Who chooses tables means them now, whenever they were done.
        let whole = self.budget.is_limited() && !self.flags.chooses();
        whole.then(|| Cycle::join(state, &self.access.place, self.flags.action(), cycle::now()))
    }

    fn all(
        &self,
        connection: &mut Connection,
        tables: Vec<Table>,
        times: Times,
        state: &State,
    ) -> Result<Answer, Error> {
        connection.end_orphans(self.session)?;
        let cycle = self.cycle(state);
        let (jobs, done_before) = self.jobs(tables, &times, cycle.as_ref());
        if let Some(cycle) = &cycle {
            cycle.keep(state)?;
        }
        let before = self.warn_of_holders(connection)?;
        let board = Board::default();
        let mut shop = Shop {
            session: self.session,
            board: &board,
            manner: Manner { server: self.access.server, gentle: self.flags.is_gentle() },
            budget: self.budget,
            young: self.limits.young(),
            database: &self.access.name,
            summary: Mutex::new(Summary::new(0)),
            queue: Mutex::default(),
            times: Mutex::new(times),
            holders: &before,
        };
        let mut worked = Ok(());
        for target in self.stages.targets() {
            shop.summary = Mutex::new(Summary::new(jobs.len()));
            shop.queue = Mutex::new(Queue::new(jobs.clone(), self.budget.is_limited()));
            worked = self.work(&shop, connection, *target);
            if worked.is_err() || board.stopped().is_some() {
                break;
            }
        }
        let Shop { queue, summary, times, .. } = shop;
        let (rest, mut summary) = (inner(queue).rest(), inner(summary));
        self.remember(inner(times), &summary)?;
        worked?;
        if self.missing {
            let still = analyze::missing(&mut connection.client, self.access.server, true)?;
            summary.still_missing(&still);
        }
        self.settle(connection, &summary)?;
        self.finish_database(connection, &summary)?;
        let holders = Holder::all(&mut connection.client).unwrap_or_default();
        let holders: Vec<_> =
            holders.into_iter().filter(|h| h.holds_tables() && before.iter().any(|b| b.is(h))).collect();
        let stopped = board.stopped();
        if cycle.is_some() && rest.is_empty() && summary.cut.is_empty() && stopped.is_none() {
            Cycle::end(state)?;
        }
        let conclusion = conclusion::Conclusion {
            summary: &summary,
            rest: &rest,
            holders: &holders,
            cycle: cycle.as_ref(),
            done_before,
            budget: self.budget,
        };
        let Value::Object(mut facts) = conclusion.data() else { unreachable!("a summary is an object") };
        facts.insert("database".into(), json!(self.access.place));
        facts.insert("xid".into(), json!(next_xid(&mut connection.client)));
        history::append(state, &self.session.run, self.session.tool, self.flags.action().name(), facts)?;
        match stopped {
            Some(Why::Interrupted) => {
                let cause = self
                    .session
                    .interrupt
                    .check()
                    .err()
                    .unwrap_or_else(|| self.session.deadline.error("vacuuming"));
                Err(Error::Stopped { cause, summary: conclusion.data() })
            }
            Some(Why::Deadline) => Err(Error::Stopped {
                cause: self.session.deadline.error("vacuuming"),
                summary: conclusion.data(),
            }),
            _ => conclusion.tell(self.session),
        }
    }

    /// Whoever holds dead rows for long is named before the work, and whether it still does afterwards.
    fn warn_of_holders(&self, connection: &mut Connection) -> Result<Vec<Holder>, Error> {
        let holders = Holder::all(&mut connection.client).map_err(CoreError::from)?;
        for holder in holders
            .iter()
            .filter(|h| h.holds_tables() && h.age_s.is_none_or(|age| age >= crate::holder::YOUNG_S))
        {
            let msg = format!("dead rows may not be removable: {}", holder.sentence());
            self.session.emit.warning("horizon", &msg, holder.data())?;
        }
        Ok(holders)
    }

    /// What was done is on disk before it is reported as done.
    fn settle(&self, connection: &mut Connection, summary: &Summary) -> Result<(), Error> {
        if summary.changed()
            && let Err(error) = connection.settle()
        {
            let msg = format!("what was done is on disk only in a moment: {error}");
            self.session.emit.warning("unsettled", &msg, json!({}))?;
        }
        Ok(())
    }

    /// The database's own horizon moves once for all tables. It moves with the next vacuum otherwise.
    fn finish_database(&self, connection: &mut Connection, summary: &Summary) -> Result<(), Error> {
        if !summary.any_vacuumed() || !self.access.server.skips_database_stats() {
            return Ok(());
        }
        let limit = self.budget.left().map(|left| left + std::time::Duration::from_secs(1));
        let done = connection.limit(limit).and_then(|()| connection.client.batch_execute(DATABASE_STATS));
        if let Err(error) = done {
            let msg = format!("the database's freeze horizon was not updated: {error}");
            self.session.emit.warning("database-stats", &msg, json!({}))?;
        }
        let _ = connection.limit(None);
        Ok(())
    }

    /// How long tables took helps to predict; that it can't be kept does no harm today.
    fn remember(&self, mut times: Times, summary: &Summary) -> Result<(), Error> {
        if summary.read > 0 {
            times.learn_pace(tg_core::bytes::unsigned(summary.read), summary.took());
        }
        if let Err(error) = times.save() {
            self.session.emit.warning(
                "times",
                &format!("how long tables took is not kept: {error}"),
                json!({}),
            )?;
        }
        Ok(())
    }
}

/// The number of the next transaction, for the pace at which they are used up; nothing where the connection is gone.
fn next_xid(client: &mut Client) -> Option<i64> {
    let query = "SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())";
    client.query_one(query, &[]).ok()?.try_get(0).ok()
}

fn inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
