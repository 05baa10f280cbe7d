//! The containers of the project: whether they run, how often they started again, and what memory they take.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::{Error, Session};

use super::{Gathered, Plan, logs};
use crate::services::is_one_shot;
use crate::watch::cli::Matter;
use crate::watch::sample::Instance;

const PERIOD: Duration = Duration::from_secs(1);
/// Characters of an identifier, as docker ps prints them.
const SHORT: usize = 12;

/// Looks until it is time to stop.
pub(super) fn look(session: &Session, project: &Project, plan: &Plan<'_>, gathered: &Arc<Gathered>) {
    let mut followed = HashSet::new();
    while !gathered.stopped() {
        let next = Instant::now() + PERIOD;
        let looked = Engine::connect(&session.bounds()).and_then(|engine| {
            let mut next = next;
            while !gathered.stopped() {
                once(&engine, session, project, plan, gathered, &mut followed)?;
                gathered.nap(next);
                next = Instant::now() + PERIOD;
            }
            Ok(())
        });
        if looked.is_err() {
            gathered.lock().hearing = false;
            gathered.nap(next);
        }
    }
}

fn once(
    engine: &Engine,
    session: &Session,
    project: &Project,
    plan: &Plan<'_>,
    gathered: &Arc<Gathered>,
    followed: &mut HashSet<String>,
) -> Result<(), Error> {
    let found = lasting(engine, project)?;
    if plan.looks_at(Matter::Logs) {
        for container in &found {
            if followed.insert(container.id.clone()) {
                logs::follow(session, container, plan.known, gathered);
            }
        }
        gathered.lock().hearing = true;
    }
    if plan.looks_at(Matter::Containers) {
        let running: Vec<&str> = found.iter().filter(|c| c.running()).map(|c| c.id.as_str()).collect();
        let memory = engine.memory_used(&running)?;
        let memory: HashMap<String, Option<u64>> =
            running.iter().map(|id| (*id).to_owned()).zip(memory).collect();
        let mut services: BTreeMap<String, Vec<Instance>> = BTreeMap::new();
        for container in found {
            // A database fills its buffers and caches anew after each migration: growth says nothing of the release.
            let memory = (container.service != project.database)
                .then(|| memory.get(&container.id).copied().flatten())
                .flatten();
            let instance = Instance {
                id: container.id.chars().take(SHORT).collect(),
                running: container.running(),
                restarts: container.restarts,
                oom_killed: container.oom_killed,
                memory,
            };
            services.entry(container.service).or_default().push(instance);
        }
        gathered.lock().containers = Some((Instant::now(), services));
    }
    Ok(())
}

/// Containers whose work has no end, without those that a swap keeps for its way back.
fn lasting(engine: &Engine, project: &Project) -> Result<Vec<Container>, Error> {
    let mut found = engine.of_project(&project.name)?;
    let resting = project.state()?.resting();
    found.retain(|container| {
        !container.one_off && !resting.contains(&container.id) && !is_one_shot(project, &container.service)
    });
    Ok(found)
}
