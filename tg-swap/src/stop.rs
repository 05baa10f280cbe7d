//! Stops services; database and load balancer are none of ours.

use serde_json::{Map, Value, json};
use tg_core::history;
use tg_core::session::{Answer, Session};

use std::collections::BTreeMap;

use crate::before::Before;
use crate::bring_up::{Way, bring_up};
use crate::cli::{Cli, Which};
use crate::effects::{DryRun, Effects, Real, outlast};
use crate::error::SwapError;
use crate::plan::Plan;

pub(crate) fn run(session: &Session, cli: &Cli, which: &Which) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, which)?;
    session.emit.start(&format!("stopping {}", plan.services.join(", ")), plan.facts(cli.dry_run))?;
    if cli.dry_run {
        stop(&plan, &DryRun { session })?;
        return Ok(Answer::yes("dry run: nothing was changed", json!({"changed": false})));
    }
    let state = plan.project.state()?;
    let _lock = session.begin_change(&state)?;
    session.check("stopping")?;
    let effects = Real::new(session, &plan, None)?;
    Before::record(session, &plan, &effects)?;
    let running = running(&plan)?;
    if running.is_empty() {
        return Ok(Answer::yes("they had been stopped before", json!({"changed": false, "stopped": []})));
    }
    let intent = json!({"services": plan.services, "containers": running});
    let done = session.emit.change("stop", &format!("stop {}", running.join(", ")), intent, || {
        stop(&plan, &effects)?;
        Ok(((), json!({"containers": running})))
    });
    if let Err(cause) = done {
        return Err(put_back(session, &plan, &effects, cause));
    }
    let facts = json!({"services": plan.services, "containers": running, "outcome": "succeeded"});
    history::append(&state, &session.run, crate::TOOL, "stop", object(facts))?;
    Ok(Answer::yes(format!("stopped {}", running.join(", ")), json!({"changed": true, "stopped": running})))
}

fn stop(plan: &Plan, effects: &dyn Effects) -> Result<(), SwapError> {
    // Through Compose, because only Compose runs a service's pre_stop hooks.
    effects.compose(&words("stop", &plan.services))?;
    let left = if effects.real() { outlast(effects, || running(plan))? } else { Vec::new() };
    if left.is_empty() { Ok(()) } else { Err(SwapError::NotAsTold(left.len(), left.join(", "))) }
}

/// A stop that failed half-way leaves some running and some not: starts those that were stopped.
fn put_back(session: &Session, plan: &Plan, effects: &dyn Effects, cause: SwapError) -> SwapError {
    let cause = Box::new(cause);
    let effects = effects.to_the_end();
    let undone = session.emit.change("start-again", "start again what was stopped", json!({}), || {
        bring_up(session, plan, effects.as_ref(), &plan.services, &BTreeMap::new(), Way::Back)?;
        Ok::<_, SwapError>(((), json!({})))
    });
    match undone {
        Ok(()) => SwapError::Undone { cause },
        Err(undo) => SwapError::Stuck { cause, undo: Box::new(undo), run: session.run.clone() },
    }
}

fn running(plan: &Plan) -> Result<Vec<String>, SwapError> {
    let mut names = Vec::new();
    for service in &plan.services {
        names.extend(plan.engine.running(&plan.project.name, service)?.into_iter().map(|c| c.name));
    }
    Ok(names)
}

/// A Compose verb and its services.
pub(crate) fn words<'a>(verb: &'a str, services: &'a [String]) -> Vec<&'a str> {
    std::iter::once(verb).chain(services.iter().map(String::as_str)).collect()
}

/// A JSON object as a map.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
