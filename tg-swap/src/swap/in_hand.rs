//! The swap that a killed or interrupted tool left: on with it, or back.

use serde_json::json;
use tg_core::lock::Lock;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use super::{conclusion, way_back};
use crate::cli::{Cli, Which};
use crate::error::SwapError;
use crate::plan::Plan;
use crate::swap::{Intent, Phase};
use tg_core::balancer::{self, Balancer};

/// The project's balancer.
type Driver<'a> = Box<dyn Balancer + 'a>;

/// The swap that a killed or interrupted tool left: goes on with it, forwards or backwards.
pub(crate) fn resume(session: &Session, cli: &Cli) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let state = plan.project.state()?;
    session.emit.start("going on with the swap", plan.facts(cli.dry_run))?;
    let Some((balancer, intent)) = of_project(session, &plan, &state)? else {
        return Ok(Answer::yes("no swap is in hand", json!({"changed": false})));
    };
    if intent.phase == Phase::Kept {
        return Ok(done(&intent));
    }
    if cli.dry_run {
        return would(session, &format!("go on with the swap to {}", intent.to.version));
    }
    let Some((lock, intent)) = held(session, &state)? else {
        return Ok(Answer::yes("no swap is in hand any more", json!({"changed": false})));
    };
    // Whoever held the lock may just have ended it.
    if intent.phase == Phase::Kept {
        return Ok(done(&intent));
    }
    conclusion::finish(session, &plan, &state, balancer.as_ref(), intent, lock)
}

/// Back to what ran before the swap in hand.
pub(crate) fn abort(session: &Session, cli: &Cli) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let state = plan.project.state()?;
    session.emit.start("going back from the swap", plan.facts(cli.dry_run))?;
    let Some((balancer, intent)) = of_project(session, &plan, &state)? else {
        return Ok(Answer::yes("no swap is in hand", json!({"changed": false})));
    };
    if intent.phase == Phase::Retire {
        return Err(SwapError::TooLate(intent.run));
    }
    if cli.dry_run {
        return would(session, &format!("go back to {}", intent.from.version));
    }
    let Some((_lock, intent)) = held(session, &state)? else {
        return Ok(Answer::yes("no swap is in hand any more", json!({"changed": false})));
    };
    if intent.phase == Phase::Retire {
        return Err(SwapError::TooLate(intent.run));
    }
    way_back::back(session, &plan, &state, balancer.as_ref(), intent)
}

fn done(intent: &Intent) -> Answer {
    let msg = "the swap is done; its old instances are kept until tg-swap commit";
    Answer::yes(msg, json!({"changed": false, "kept_until": intent.kept_until}))
}

pub(super) fn of_project<'a>(
    session: &'a Session,
    plan: &'a Plan,
    state: &State,
) -> Result<Option<(Driver<'a>, Intent)>, SwapError> {
    let Some(intent) = Intent::read(state)? else { return Ok(None) };
    let Some(balancer) = balancer::open(session, &plan.project, &plan.engine)? else { return Ok(None) };
    reach(plan, balancer.as_ref())?;
    Ok(Some((balancer, intent)))
}

/// The lock, and the swap in hand as it is once nobody else can change it.
pub(super) fn held(session: &Session, state: &State) -> Result<Option<(Lock, Intent)>, SwapError> {
    let lock = session.begin_change(state)?;
    Ok(Intent::read(state)?.map(|intent| (lock, intent)))
}

/// Whether the balancer answers and is prepared: asked before anything is changed.
pub(super) fn reach(plan: &Plan, balancer: &dyn Balancer) -> Result<(), SwapError> {
    if plan.project.api.len() != 1 {
        return Err(SwapError::SeveralApis(plan.project.api.join(", ")));
    }
    balancer.look(&[])?;
    Ok(())
}

pub(super) fn would(session: &Session, action: &str) -> Result<Answer, SwapError> {
    session.emit.record(&format!("would {action}"), json!({"kind": "would", "action": action}))?;
    Ok(Answer::yes("dry run: nothing was changed", json!({"changed": false})))
}
