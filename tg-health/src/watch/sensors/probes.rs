//! Our own requests, each at its moment, whether or not the one before was answered: what a slow server makes wait is measured, not
//! left out (Schroeder, Wierman and Harchol-Balter, "Open Versus Closed", NSDI 2006).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tg_core::health::Prober;

use super::{Gathered, Plan};

/// More requests than this are not kept waiting for answers.
const MOST_IN_FLIGHT: usize = 1000;
/// A request that could not be sent in this time after its moment is not sent at all.
const TOO_LATE: Duration = Duration::from_millis(500);

/// A URL and how it is asked.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) url: String,
    pub(crate) prober: Arc<Prober>,
}

/// Asks until it is time to stop.
pub(super) fn ask(plan: &Plan<'_>, gathered: &Arc<Gathered>) {
    let period = Duration::from_secs_f64(1.0 / plan.rate);
    let mut due = Instant::now();
    while gathered.nap(due) {
        for asked in plan.asked {
            send(asked, due, plan.probe_timeout, gathered);
        }
        due += period;
    }
}

fn send(asked: &Asked, due: Instant, limit: Duration, gathered: &Arc<Gathered>) {
    let busy = gathered.in_flight.load(Ordering::SeqCst) >= MOST_IN_FLIGHT;
    if busy || due.elapsed() > TOO_LATE {
        gathered.lock().sample.probes.entry(asked.url.clone()).or_default().missed += 1;
        return;
    }
    gathered.in_flight.fetch_add(1, Ordering::SeqCst);
    let (asked, gathered) = (asked.clone(), Arc::clone(gathered));
    std::thread::spawn(move || {
        let verdict = asked.prober.probe(&asked.url, limit);
        let took = u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX);
        let mut inner = gathered.lock();
        let probes = inner.sample.probes.entry(asked.url).or_default();
        if verdict.ready {
            probes.well_us.push(took);
        } else {
            *probes.failed.entry(verdict.reason.unwrap_or_default()).or_default() += 1;
        }
        drop(inner);
        gathered.in_flight.fetch_sub(1, Ordering::SeqCst);
    });
}
