//! What runs, and is it what the project's files say?

use serde_json::{Value, json};
use tg_core::session::{Answer, Session};
use tg_core::{history, release::Pin};

use crate::before;
use crate::cli::Which;
use crate::error::SwapError;
use crate::lint;
use crate::plan::Plan;
use crate::rollback;
use crate::swap::situation;

pub(crate) fn run(session: &Session) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    session.emit.start(&format!("project {}", plan.project.name), plan.facts(false))?;
    let (mut wrong, mut all_running) = (Vec::new(), 0);
    for pin in plan.pins_of(&plan.services) {
        let (running, problem) = service(session, &plan, pin)?;
        all_running += running;
        wrong.extend(problem);
    }
    let state = plan.project.state()?;
    let unfinished: Option<Value> =
        std::fs::read_to_string(state.procedure()).ok().and_then(|text| serde_json::from_str(&text).ok());
    if let Some(procedure) = &unfinished {
        let name = |key: &str| procedure[key].as_str().unwrap_or("?").to_owned();
        wrong.push(format!(
            "{} to {} has not ended: run the same command again",
            name("procedure"),
            name("to")
        ));
    }
    let situation = situation::tell(session, &plan)?;
    wrong.extend(situation.problems);
    let history = history::read(&state);
    let version = match plan.pins.first() {
        Some(pin) => Some(before::version(&plan.engine, pin)?),
        None => None,
    };
    let data = json!({"as_configured": wrong.is_empty(), "problems": wrong, "unfinished": unfinished, "balancer": situation.balancer, "swap": situation.swap, "last_change": history.last(), "undoable_run": rollback::last_change(&history), "version": version, "running": all_running, "state_dir": state.root(), "lock": state.shared_lock()});
    if wrong.is_empty() {
        Ok(Answer::yes("all as configured", data))
    } else {
        Ok(Answer::no(wrong.join("; "), data))
    }
}

/// Tells one service: how many of its containers run, and what is wrong with it, if anything.
fn service(session: &Session, plan: &Plan, pin: &Pin) -> Result<(usize, Option<String>), SwapError> {
    let containers: Vec<_> = plan
        .engine
        .containers(&plan.project.name, &pin.service)?
        .into_iter()
        .filter(|c| !c.one_off)
        .collect();
    let image = plan.engine.image(&pin.reference.to_string())?;
    let running: Vec<_> = containers.iter().filter(|c| c.running()).collect();
    let replicas = plan.project.service(&pin.service).map_or(1, lint::replicas);
    let other = running.iter().find(|c| image.as_ref().is_none_or(|image| image.id != c.image_id));
    let wrong = match other {
        Some(container) => Some(format!(
            "{} runs {}, not what {} means now",
            container.name, container.image_id, pin.reference
        )),
        None if running.len() as u64 != replicas => {
            Some(format!("{} of {replicas} containers of {} run", running.len(), pin.service))
        }
        None => None,
    };
    let data = json!({
        "kind": "service", "service": pin.service, "version": pin.reference.version(), "configured": pin.reference.to_string(),
        "image_id": image.map(|i| i.id), "replicas": replicas, "running": running.len(), "containers": containers, "problem": wrong,
    });
    session.emit.record(
        &format!("{}: {} of {replicas} run at {}", pin.service, running.len(), pin.reference.version()),
        data,
    )?;
    Ok((running.len(), wrong))
}
