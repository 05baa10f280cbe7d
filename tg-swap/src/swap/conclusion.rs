//! A swap is driven to its end and put on record.

use serde_json::{Value, json};
use tg_core::Fault;
use tg_core::history;
use tg_core::lock::Lock;
use tg_core::process::Runner;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use super::{keeper, way_back};
use crate::balancer::Balancer;
use crate::error::SwapError;
use crate::plan::Plan;
use crate::stop::object;
use crate::swap::{ComposeUp, Intent, Phase, Swap};

/// Drives a swap to its end and gives the lock back before somebody waits for `commit`.
pub(super) fn finish(
    session: &Session,
    plan: &Plan,
    state: &State,
    balancer: &dyn Balancer,
    intent: Intent,
    lock: Lock,
) -> Result<Answer, SwapError> {
    if intent.phase == Phase::Back {
        return way_back::back(session, plan, state, balancer, intent);
    }
    let (intent, answer) = conclude(session, plan, state, balancer, intent)?;
    drop(lock);
    keeper::start(session, &intent)?;
    Ok(answer)
}

/// Drives a swap to its end and records it: as a rollback, where it is one.
pub(super) fn conclude(
    session: &Session,
    plan: &Plan,
    state: &State,
    balancer: &dyn Balancer,
    intent: Intent,
) -> Result<(Intent, Answer), SwapError> {
    let mut swap = Swap::new(session, plan, balancer, intent)?;
    let mut facts = drive(&mut swap)?;
    let intent = swap.intent.clone();
    let ran: Value =
        intent.to.services.iter().map(|(name, side)| (name.clone(), json!(side.image_id))).collect();
    facts["ran"] = ran;
    let version = &intent.to.version;
    let (action, msg) = match (&intent.undoes, &intent.kept_until) {
        (Some(run), _) => {
            facts["undoes"] = json!(run);
            ("rollback", format!("{version} is back"))
        }
        (None, Some(until)) => (
            "swap",
            format!(
                "{version} serves; tg-swap rollback goes back at once until {until}, tg-swap commit ends that"
            ),
        ),
        (None, None) => ("swap", format!("{version} serves")),
    };
    history::append(state, &intent.run, crate::TOOL, action, object(facts.clone()))?;
    Ok((intent, Answer::yes(msg, facts)))
}

/// Goes, and tells what was seen.
fn drive(swap: &mut Swap) -> Result<Value, SwapError> {
    match swap.go() {
        Ok(()) => {}
        Err(SwapError::Undone { cause }) => {
            let evidence = swap.evidence();
            let facts = json!({
                "from": swap.intent.from.version, "to": swap.intent.to.version, "outcome": "undone",
                "error": {"code": cause.code(), "message": cause.to_string()}, "evidence": evidence,
            });
            let action = if swap.intent.undoes.is_some() { "rollback" } else { "swap" };
            history::append(&swap.state, &swap.intent.run, crate::TOOL, action, object(facts))?;
            return Err(SwapError::UndoneSwap { cause, evidence });
        }
        Err(error) => return Err(error),
    }
    let (session, plan, intent) = (swap.session, swap.plan, &swap.intent);
    let up = compose_up(session, plan)?;
    Ok(json!({
        "changed": true, "from": intent.from.version, "to": intent.to.version, "outcome": "succeeded",
        "services": plan.services, "balancer": swap.balancer.name(), "abilities": swap.balancer.abilities(),
        "evidence": swap.evidence(), "cut": intent.cut, "phases_ms": swap.phases(),
        "kept_until": intent.kept_until, "compose_up": up,
    }))
}

/// What `docker compose up -d` would do now; it warns where that would stop what serves.
pub(super) fn compose_up(session: &Session, plan: &Plan) -> Result<ComposeUp, SwapError> {
    let runner = Runner { emit: &session.emit, deadline: tg_core::deadline::Deadline::after(None) };
    let up = ComposeUp::ask(&plan.project, runner)?;
    if !up.nothing_to_do() {
        let msg = format!(
            "docker compose up -d would stop {}; tg-swap commit or rollback comes first",
            up.ends.join(", ")
        );
        session.emit.warning("compose-up", &msg, json!({"ends": up.ends, "makes": up.makes}))?;
    }
    Ok(up)
}
