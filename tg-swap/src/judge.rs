//! All that is found about a move: the distance, the images, the Compose model, and each service.

use serde_json::{Value, json};
use tg_core::host;
use tg_core::release;
use tg_core::session::Session;
use tg_core::{Fault, version};

use crate::cli::Role;
use crate::error::SwapError;
use crate::finding::Finding;
use crate::lint::{self, Facts, Limits, Memory};
use crate::plan::Plan;
use crate::succession::{Registry, Succession};
use crate::{gate, model, stale};

/// What is found about moving the project to a release; the one in its files where none is named.
/// The worst come first.
pub(crate) fn findings(
    session: &Session,
    plan: &Plan,
    to: Option<&str>,
    successions: &[Succession],
) -> Result<Vec<Finding>, SwapError> {
    let runner = session.runner();
    let now = plan.project.compose.config(runner, &[])?;
    let then = match to {
        Some(tag) => {
            let (compose, _file) = release::preview(&plan.project, &plan.tags(Some(tag))?)?;
            compose.config(runner, &[])?
        }
        None => now.clone(),
    };
    let mut found = distances(plan, successions);
    found.extend(images(successions));
    found.extend(differences(plan, &now, &then));
    for succession in successions {
        session.check("planning")?;
        found.extend(lint::all(&facts(plan, succession, &then)?));
    }
    for service in &plan.services {
        found.extend(drift(session, plan, service)?);
    }
    found.sort_by_key(|finding| finding.severity);
    Ok(found)
}

/// Steps from what runs that need a person's word, each told once.
fn distances(plan: &Plan, successions: &[Succession]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for succession in successions.iter().filter(|s| plan.services.contains(&s.service)) {
        for present in &succession.now {
            let (from, to) = (present.version.clone(), succession.then.version.clone());
            let distance = version::distance(&from, &to);
            let Some(word) = gate::needed(distance) else { continue };
            if found.iter().any(|finding| finding.needs == Some(word)) {
                continue;
            }
            let facts = json!({"from": from, "to": to});
            let refusal = SwapError::Refused { from, to, distance };
            let cure = refusal.hint().unwrap_or_default();
            found.push(Finding::unsafe_until(word, refusal.to_string(), &cure).with(facts));
        }
    }
    found
}

/// What is to be known of the target's images, each told once.
fn images(successions: &[Succession]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for then in successions.iter().map(|s| &s.then) {
        let (reference, facts) = (&then.reference, json!({"image": then.reference}));
        if found.iter().any(|finding| finding.facts == facts) {
            continue;
        }
        if then.here.is_none() {
            let msg =
                format!("{reference} is not on this host: its variables and start can't be looked at yet");
            let cure = format!("tg-swap pull --to {}, then plan again", then.version);
            found.push(Finding::info("image-not-here", msg, &cure).with(facts.clone()));
        }
        if then.moved() {
            let msg = format!("{reference} means another image in the registry than on this host");
            let cure = "pull it to judge and start the registry's; find out who moved the tag";
            found.push(Finding::warning("tag-moved", msg, cure).with(facts.clone()));
        }
        if let Registry::Silent(code, problem) = &then.registry {
            let cure = "the image on this host will do; see that the registry is up and has it before that one is pruned";
            found.push(Finding::warning(code, problem.clone(), cure).with(facts));
        }
    }
    found
}

/// Differences of the models; those of the services that move anyway are recreated with them.
fn differences(plan: &Plan, now: &Value, then: &Value) -> Option<Finding> {
    let moved: Vec<String> = plan.pins.iter().map(|pin| pin.service.clone()).collect();
    let pointers = model::differences(now, then, &moved);
    if pointers.is_empty() {
        return None;
    }
    let facts = json!({"pointers": pointers});
    if pointers.iter().all(|pointer| model::is_about(pointer, &moved)) {
        let msg = format!("more than the image differs at that release: {}", pointers.join(", "));
        return Some(Finding::info("model-differs", msg, "compare with docker compose config").with(facts));
    }
    let msg = format!("other parts of the project differ at that release: {}", pointers.join(", "));
    let cure = "the next docker compose up recreates them; give what shall stay a variable of its own";
    Some(Finding::warning("model-differs", msg, cure).with(facts))
}

fn facts(plan: &Plan, succession: &Succession, then: &Value) -> Result<Facts, SwapError> {
    let service = succession.service.clone();
    let role = if plan.project.api.contains(&service) {
        Some(Role::Api)
    } else {
        plan.project.worker.contains(&service).then_some(Role::Worker)
    };
    let config = |id: Option<&String>| match id {
        Some(id) => plan.engine.image_config(id),
        None => Ok(None),
    };
    let memory = if role == Some(Role::Api) { memory(plan, &service)? } else { None };
    Ok(Facts {
        role,
        model: then["services"][&service].clone(),
        now: config(succession.now.first().map(|p| &p.image.id))?,
        then: config(succession.then.here.as_ref().map(|i| &i.id))?,
        api_version: plan.engine.api_version(),
        limits: Limits::default(),
        memory,
        service,
    })
}

/// `None` where it can't be told.
fn memory(plan: &Plan, service: &str) -> Result<Option<Memory>, SwapError> {
    let Some(available) = host::memory_available() else { return Ok(None) };
    let running = plan.engine.running(&plan.project.name, service)?;
    let ids: Vec<&str> = running.iter().map(|container| container.id.as_str()).collect();
    let used = plan.engine.memory_used(&ids)?.into_iter().flatten().sum();
    Ok(Some(Memory { available, used }))
}

/// Containers that the next `up` would recreate, whatever the release.
fn drift(session: &Session, plan: &Plan, service: &str) -> Result<Option<Finding>, SwapError> {
    let runner = session.runner();
    let stale = stale::containers(runner, plan, service, None)?;
    let names: Vec<&str> = stale.iter().filter(|c| c.running()).map(|c| c.name.as_str()).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let msg = format!("{} run with another configuration than the files have now", names.join(", "));
    let cure = "the next docker compose up recreates them; see tg-swap status, and put the files right first";
    Ok(Some(Finding::warning("drift", msg, cure).of(service).with(json!({"containers": names}))))
}
