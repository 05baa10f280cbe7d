//! What is left to do, in its order, in batches; and what fits into the time that is left.

use std::collections::VecDeque;
use std::time::Duration;

use crate::statement::Action;
use crate::table::Table;

/// So many small tables go into one statement: up to 15 each statement computes the database's own horizon.
const BATCH: usize = 64;
/// A table with more pages than this has a statement of its own.
const SMALL: i64 = 1024;
/// And all of a batch have no more than this.
const BATCH_PAGES: i64 = 8192;
/// What a batch may take where time is short, so that little is lost when it is cancelled.
const BATCH_TIME: Duration = Duration::from_secs(5);

/// A table, what is done to it, and how long that will take.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) table: Table,
    pub(crate) action: Action,
    pub(crate) predicted: Duration,
    /// It was tried before.
    pub(crate) again: bool,
    /// Before which transaction its rows are to be frozen, where the first try could not; `None`: all that are there.
    pub(crate) frozen_to: Option<i64>,
}

/// Tables that share a statement, and so an action.
pub(crate) type Batch = Vec<Job>;

/// What is left to do.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    batches: VecDeque<Batch>,
}

impl Queue {
    /// Small tables go together; large ones keep their order. `limited`: time is short.
    pub(crate) fn new(jobs: Vec<Job>, limited: bool) -> Self {
        let mut batches: VecDeque<Batch> = VecDeque::new();
        // A batch may be filled on while larger tables come between: their order is told by its first.
        let mut open: Vec<(Action, usize)> = Vec::new();
        for job in jobs {
            let action = job.action;
            if !is_small(&job.table) {
                batches.push_back(vec![job]);
                continue;
            }
            let place = open.iter().position(|(other, _)| *other == action);
            match place {
                Some(place) if takes(&batches[open[place].1], &job, limited) => {
                    batches[open[place].1].push(job);
                }
                _ => {
                    open.retain(|(other, _)| *other != action);
                    open.push((action, batches.len()));
                    batches.push_back(vec![job]);
                }
            }
        }
        Queue { batches }
    }

    /// The first one that fits into the time that is left; where none does, as much of one as fits.
    pub(crate) fn next(&mut self, left: Option<Duration>) -> Option<Batch> {
        let Some(left) = left else { return self.batches.pop_front() };
        if let Some(place) = self.batches.iter().position(|batch| predicted(batch) <= left) {
            return self.batches.remove(place);
        }
        let fits = |job: &Job| job.predicted <= left;
        let batch = self.batches.iter_mut().find(|batch| batch.iter().any(fits))?;
        let mut spent = Duration::ZERO;
        let (part, rest) = std::mem::take(batch).into_iter().partition(|job| {
            let fits = spent + job.predicted <= left;
            spent += if fits { job.predicted } else { Duration::ZERO };
            fits
        });
        *batch = rest;
        Some(part)
    }

    /// One by one, after all others.
    pub(crate) fn again(&mut self, jobs: impl IntoIterator<Item = Job>) {
        self.batches.extend(jobs.into_iter().map(|job| vec![Job { again: true, ..job }]));
    }

    /// What nobody came to.
    pub(crate) fn rest(self) -> Vec<Job> {
        self.batches.into_iter().flatten().collect()
    }
}

/// How long a batch will take.
pub(crate) fn predicted(batch: &Batch) -> Duration {
    batch.iter().map(|job| job.predicted).sum()
}

fn is_small(table: &Table) -> bool {
    table.bytes() <= SMALL * crate::table::PAGE
}

fn takes(batch: &Batch, job: &Job, limited: bool) -> bool {
    let pages: i64 = batch.iter().chain([job]).map(|job| job.table.bytes() / crate::table::PAGE).sum();
    batch.len() < BATCH
        && pages <= BATCH_PAGES
        && (!limited || predicted(batch) + job.predicted <= BATCH_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(oid: u32, pages: i64, seconds: u64) -> Job {
        let table = Table { oid, size: pages * crate::table::PAGE, ..Table::default() };
        let predicted = Duration::from_secs(seconds);
        Job { table, action: Action::Vacuum, predicted, again: false, frozen_to: None }
    }

    fn oids(batch: Option<Batch>) -> Vec<u32> {
        batch.into_iter().flatten().map(|job| job.table.oid).collect()
    }

    #[test]
    fn small_tables_share_a_statement_and_large_ones_do_not() {
        let jobs = vec![job(1, 10, 0), job(2, 100_000, 0), job(3, 10, 0), job(4, 10, 0)];
        let mut queue = Queue::new(jobs, false);
        assert_eq!(oids(queue.next(None)), [1, 3, 4]);
        assert_eq!(oids(queue.next(None)), [2]);
        assert!(queue.next(None).is_none());
        let mut queue = Queue::new((0..100).map(|oid| job(oid, 1, 0)).collect(), false);
        assert_eq!([queue.next(None).unwrap().len(), queue.next(None).unwrap().len()], [64, 36]);
    }

    #[test]
    fn another_action_is_another_statement() {
        let mut parent = job(2, 1, 0);
        parent.action = Action::Analyze;
        let mut queue = Queue::new(vec![job(1, 1, 0), parent, job(3, 1, 0)], false);
        assert_eq!(oids(queue.next(None)), [1, 3]);
        assert_eq!(oids(queue.next(None)), [2]);
    }

    #[test]
    fn what_does_not_fit_waits_and_what_fits_goes_before_it() {
        let jobs = vec![job(1, 100_000, 600), job(2, 100_000, 30), job(3, 1, 4), job(4, 1, 4)];
        let mut queue = Queue::new(jobs, true);
        let left = Some(Duration::from_mins(1));
        assert_eq!(oids(queue.next(left)), [2]);
        assert_eq!(oids(queue.next(left)), [3], "a batch is short where time is short");
        assert!(queue.next(Some(Duration::from_secs(3))).is_none());
        let mut together = Queue::new(vec![job(1, 1, 2), job(2, 1, 1), job(3, 1, 1)], true);
        assert_eq!(oids(together.next(Some(Duration::from_secs(3)))), [1, 2], "a part of it");
        assert_eq!(oids(together.next(Some(Duration::from_secs(3)))), [3]);
        assert_eq!(queue.rest().iter().map(|job| job.table.oid).collect::<Vec<_>>(), [1, 4]);
    }
}
