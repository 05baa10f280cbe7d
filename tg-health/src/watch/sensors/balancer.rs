//! What the load balancer counts.

use std::time::{Duration, Instant};

use tg_core::Session;
use tg_core::balancer::{self, Counters};
use tg_core::engine::Engine;
use tg_core::project::Project;

use super::Gathered;
use crate::watch::sample::Traffic;

/// Twice in each second, so that none is without.
const PERIOD: Duration = Duration::from_millis(500);

/// Counts until it is time to stop. A balancer that counts nothing, and a project without one, is left alone.
pub(super) fn count(session: &Session, project: &Project, gathered: &Gathered) {
    let mut before = None;
    while !gathered.stopped() {
        let next = Instant::now() + PERIOD;
        // Opened each time: it may be away now and back later.
        let Ok(engine) = Engine::connect(&session.bounds()) else {
            gathered.nap(next);
            continue;
        };
        let balancer = match balancer::open(session, project, &engine) {
            Ok(Some(balancer)) if balancer.abilities().count => balancer,
            Ok(_) => return,
            Err(_) => {
                gathered.nap(next);
                continue;
            }
        };
        let mut next = next;
        while gathered.nap(next) {
            next = Instant::now() + PERIOD;
            let Ok(Some(now)) = balancer.totals() else { break };
            if let Some(before) = before.replace(now) {
                add(&now.since(&before), gathered);
            }
        }
    }
}

fn add(grown: &Counters, gathered: &Gathered) {
    let mut inner = gathered.lock();
    let traffic = inner.sample.traffic.get_or_insert_with(Traffic::default);
    traffic.requests += grown.requests;
    traffic.failed += grown.answered_5xx + grown.failed_connections + grown.failed_responses;
    traffic.mean_ms = grown.mean_ms;
}
