//! Back to what ran before, without losing a request.

use serde_json::json;
use tg_core::release::Pin;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use super::{commit, conclusion, in_hand};
use crate::effects::Real;
use crate::error::SwapError;
use crate::plan::Plan;
use crate::swap::{Intent, Options, Pace, Phase, Swap};
use tg_core::balancer::{self, Balancer};

/// Back to what ran before a run, without losing a request: by a flip of the balancer where its
/// instances are still kept, else by a swap to its very images. `None` where no balancer is in front
/// or nothing runs that could serve meanwhile.
pub(crate) fn roll_back(
    session: &Session,
    plan: &Plan,
    run: &str,
    wanted: &[(&Pin, String)],
    pace: &Pace,
) -> Result<Option<Answer>, SwapError> {
    let state = plan.project.state()?;
    let Ok(Some(balancer)) = balancer::open(session, &plan.project, &plan.engine) else { return Ok(None) };
    if !api_runs(plan)? {
        Intent::remove(&state)?;
        return Ok(None);
    }
    in_hand::reach(plan, balancer.as_ref())?;
    if let Some(intent) = Intent::read(&state)? {
        if intent.run == run && intent.phase != Phase::Retire {
            return back(session, plan, &state, balancer.as_ref(), intent).map(Some);
        }
        // The same command again, after a kill.
        if intent.undoes.as_deref() == Some(run) && intent.phase != Phase::Back {
            return conclusion::conclude(session, plan, &state, balancer.as_ref(), intent)
                .map(|(_, answer)| Some(answer));
        }
        commit::end_kept(session, plan, balancer.as_ref(), intent)?;
    }
    let effects = Real::new(session, plan, pace.ready_timeout)?;
    let options = Options::at(&pace.of(&plan.project)?);
    let begun = Intent::prepare(session, plan, balancer.as_ref(), &effects, wanted, &options)?;
    let Some(mut intent) = begun else {
        return Ok(Some(Answer::yes("it runs already", json!({"changed": false}))));
    };
    intent.undoes = Some(run.to_owned());
    intent.write(&state)?;
    conclusion::conclude(session, plan, &state, balancer.as_ref(), intent).map(|(_, answer)| Some(answer))
}

pub(super) fn back(
    session: &Session,
    plan: &Plan,
    state: &State,
    balancer: &dyn Balancer,
    intent: Intent,
) -> Result<Answer, SwapError> {
    let mut swap = Swap::new(session, plan, balancer, intent)?;
    swap.back()
        .map_err(|cause| SwapError::HalfBack { cause: Box::new(cause), run: swap.intent.run.clone() })?;
    let intent = &swap.intent;
    let facts = json!({
        "changed": true, "undoes": intent.run, "from": intent.to.version, "to": intent.from.version,
        "outcome": "succeeded", "evidence": swap.evidence(), "cut": intent.cut(), "drained": intent.drained(), "phases_ms": swap.phases(),
        "compose_up": conclusion::compose_up(session, plan)?,
    });
    conclusion::record(state, &session.run, "rollback", ("undoes", &intent.run), facts.clone())?;
    Intent::remove(state)?;
    Ok(Answer::yes(format!("{} is back", intent.from.version), facts))
}

fn api_runs(plan: &Plan) -> Result<bool, SwapError> {
    for service in &plan.project.api {
        if !plan.engine.running(&plan.project.name, service)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
