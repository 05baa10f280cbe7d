//! Services brought up: what is out of date is replaced, what does not run is started and stays up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;
use tg_core::crash::Watch;
use tg_core::passing::Passing;
use tg_core::session::Session;
use tg_core::{Error, Fault};

use crate::effects::{Effects, outlast};
use crate::error::SwapError;
use crate::plan::Plan;
use crate::stop::words;
use crate::swap::{SETTLED, needs_compose_to_start};
use crate::{dependencies, ready, stale};

/// Between two looks at what was started.
const LOOK: Duration = Duration::from_millis(100);

/// Which way services are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To a release that may be new here.
    Forth,
    /// To what ran before: it ran beside its dependencies as they are.
    Back,
}

/// Replaces what is out of date and starts what does not run; the containers that were started, as they were before. Not by `up --no-deps`: before
/// Compose 2.27 that leaves dependencies out of the hash, and the next plain `up` would recreate everything; and not by
/// `up` alone, which may recreate the database too. `create --no-recreate` does neither.
pub(crate) fn bring_up(
    session: &Session,
    plan: &Plan,
    effects: &dyn Effects,
    services: &[String],
    ids: &BTreeMap<String, String>,
    way: Way,
) -> Result<Vec<Container>, SwapError> {
    // Compose takes no names for all names.
    if services.is_empty() {
        return Ok(Vec::new());
    }
    let mut stale = Vec::new();
    for service in services {
        let id = ids.get(service).map(String::as_str);
        stale.extend(outlast(effects, || stale::containers(effects.runner(), plan, service, id))?);
    }
    let mut old: Vec<String> = stale.iter().filter(|c| c.running()).map(|c| c.service.clone()).collect();
    old.dedup();
    if !old.is_empty() {
        if effects.real() && way == Way::Forth {
            // Else the old ones would be gone and the new ones could not start.
            outlast(effects, || {
                dependencies::must_be_healthy(session, &plan.project, &plan.engine, services)
            })?;
        }
        effects.compose(&words("stop", &old))?;
    }
    for container in &stale {
        effects.remove(container)?;
    }
    let mut create = vec!["create", "--no-recreate", "--no-build", "--pull", "never"];
    create.extend(services.iter().map(String::as_str));
    effects.compose(&create)?;
    start(session, plan, effects, services, way)
}

/// Starts those that do not run: Compose would wait for the dependencies of the others as well.
fn start(
    session: &Session,
    plan: &Plan,
    effects: &dyn Effects,
    services: &[String],
    way: Way,
) -> Result<Vec<Container>, SwapError> {
    if !effects.real() {
        effects.start(services)?;
        return Ok(Vec::new());
    }
    let stopped = outlast(effects, || stopped(plan, services))?;
    let down: Vec<String> =
        services.iter().filter(|s| stopped.iter().any(|c| c.service == **s)).cloned().collect();
    if down.is_empty() {
        return Ok(stopped);
    }
    match effects.start(&down) {
        Err(cause) if way == Way::Back && cause.code() == Passing::Dependency.code() => {
            start_all_the_same(session, plan, effects, &stopped, cause)?;
        }
        other => other?,
    }
    Ok(stopped)
}

/// What ran beside a dependency before is better up than down, whatever the health check of that says now.
fn start_all_the_same(
    session: &Session,
    plan: &Plan,
    effects: &dyn Effects,
    stopped: &[Container],
    cause: SwapError,
) -> Result<(), SwapError> {
    if stopped.iter().any(|c| needs_compose_to_start(&plan.project, &c.service)) {
        return Err(cause);
    }
    let names: Vec<&str> = stopped.iter().map(|c| c.name.as_str()).collect();
    let msg = format!("{cause}; {} ran beside it before, and are started all the same", names.join(", "));
    session.emit.warning("started-all-the-same", &msg, json!({"containers": names}))?;
    effects.start_again(stopped)
}

fn stopped(plan: &Plan, services: &[String]) -> Result<Vec<Container>, SwapError> {
    let mut all = containers(plan, services)?;
    all.retain(|c| !c.running());
    Ok(all)
}

fn containers(plan: &Plan, services: &[String]) -> Result<Vec<Container>, Error> {
    let mut all = Vec::new();
    for service in services {
        all.extend(plan.engine.containers(&plan.project.name, service)?);
    }
    all.retain(|c| !c.one_off);
    Ok(all)
}

/// Until all that was started runs. A worker, which has nobody to answer to, must also stay up for a moment; one crash
/// that its restart policy heals is none.
pub(crate) fn await_up(
    session: &Session,
    plan: &Plan,
    effects: &dyn Effects,
    started: &[Container],
) -> Result<(), SwapError> {
    let settled = if started.iter().any(|c| plan.project.worker.contains(&c.service)) {
        SETTLED
    } else {
        Duration::ZERO
    };
    let (begun, mut watch) = (Instant::now(), Watch::over_started(started, Instant::now()));
    loop {
        let inspect =
            || started.iter().map(|c| Ok(plan.engine.inspect(&c.id)?)).collect::<Result<Vec<_>, _>>();
        let now: Vec<Container> = outlast(effects, inspect)?.into_iter().flatten().collect();
        if let Some(crash) = watch.look(&now, Instant::now()) {
            let fallen = now.into_iter().find(|c| c.id == crash.id).unwrap_or_default();
            return Err(SwapError::not_ready(session, &plan.engine, &fallen, format!("it {}", crash.how)));
        }
        let up = now.iter().all(Container::running) && watch.steady(settled, Instant::now());
        if up || begun.elapsed() > ready::LEAST {
            return Ok(());
        }
        session.check("waiting until what was started runs")?;
        std::thread::sleep(LOOK);
    }
}
