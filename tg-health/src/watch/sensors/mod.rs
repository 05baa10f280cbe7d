//! Who looks while a watch goes on: each in a thread of its own, until it is told to stop. None waits for another.

mod balancer;
mod containers;
mod logs;
mod metrics;
mod probes;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tg_core::health::Prober;
use tg_core::project::Project;
use tg_core::{Error, Session};

pub(super) use self::probes::Asked;
use super::cli::Matter;
use super::sample::{Heard, Instance, Sample};
use crate::metrics::Rule;

/// What was looked at longer ago is not known any more.
const STALE: Duration = Duration::from_secs(5);
/// How often a sensor that has nothing to do asks whether to stop.
const NAP: Duration = Duration::from_millis(20);

/// What is looked at.
pub(super) struct Plan<'a> {
    pub(super) matters: &'a [Matter],
    pub(super) asked: &'a [Asked],
    pub(super) rate: f64,
    pub(super) probe_timeout: Duration,
    pub(super) project: Option<&'a Project>,
    /// Whether the logs of the last day are read too, for what is not new.
    pub(super) known: bool,
    pub(super) rules: &'a [Rule],
    pub(super) metrics: &'a [String],
    pub(super) prober: &'a Prober,
}

impl Plan<'_> {
    fn looks_at(&self, matter: Matter) -> bool {
        self.matters.contains(&matter)
    }
}

/// What the sensors have brought together since it was last taken.
#[derive(Default)]
pub(super) struct Gathered {
    stop: AtomicBool,
    in_flight: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sample: Sample,
    containers: Option<(Instant, BTreeMap<String, Vec<Instance>>)>,
    hearing: bool,
    metrics: Option<(Instant, BTreeMap<String, f64>)>,
    known: Vec<Heard>,
}

impl Gathered {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came since the last time.
    pub(super) fn take(&self, at_ms: u64) -> Sample {
        let mut inner = self.lock();
        let mut sample = std::mem::take(&mut inner.sample);
        sample.at_ms = at_ms;
        let fresh = |at: Instant| at.elapsed() < STALE;
        sample.containers =
            inner.containers.as_ref().filter(|(at, _)| fresh(*at)).map(|(_, all)| all.clone());
        sample.metrics = inner
            .metrics
            .as_ref()
            .filter(|(at, _)| fresh(*at))
            .map(|(_, all)| all.clone())
            .unwrap_or_default();
        if inner.hearing {
            sample.logs.get_or_insert_default();
        } else {
            sample.logs = None;
        }
        sample
    }

    pub(super) fn known(&self) -> Vec<Heard> {
        std::mem::take(&mut self.lock().known)
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Sleeps so long, or until it is time to stop; whether to go on.
    fn nap(&self, until: Instant) -> bool {
        while !self.stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(NAP));
        }
        false
    }

    /// Waits for answers that are still to come.
    pub(super) fn settle(&self, limit: Duration) {
        let end = Instant::now() + limit;
        while self.in_flight.load(Ordering::SeqCst) > 0 && Instant::now() < end {
            std::thread::sleep(NAP);
        }
    }
}

/// Runs all sensors beside `work`, and stops them when it ends.
pub(super) fn beside<T>(
    session: &Session,
    plan: &Plan<'_>,
    gathered: &Arc<Gathered>,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    std::thread::scope(|scope| {
        if plan.looks_at(Matter::Probes) {
            scope.spawn(|| probes::ask(plan, gathered));
        }
        if let Some(project) = plan.project {
            if plan.looks_at(Matter::Balancer) {
                scope.spawn(move || balancer::count(session, project, gathered));
            }
            if plan.looks_at(Matter::Containers) || plan.looks_at(Matter::Logs) {
                scope.spawn(move || containers::look(session, project, plan, gathered));
            }
        }
        if plan.looks_at(Matter::Metrics) && !plan.rules.is_empty() {
            scope.spawn(|| metrics::scrape(plan, gathered));
        }
        let done = work();
        gathered.stop();
        done
    })
}
