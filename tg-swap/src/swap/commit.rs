//! The end of the time for which old instances are kept.

use std::time::Duration;

use serde_json::json;
use tg_core::lock::Lock;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use super::{conclusion, in_hand};
use crate::cli::{Cli, Which};
use crate::error::SwapError;
use crate::plan::Plan;
use crate::swap::{Intent, Phase, Swap};
use tg_core::balancer::Balancer;

/// How often a commit for later looks whether it is still wanted.
const GLANCE: Duration = Duration::from_secs(1);

/// Stops and removes the old instances of a swap that is done.
pub(crate) fn commit(session: &Session, cli: &Cli, after: Option<Duration>) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let state = plan.project.state()?;
    session.emit.start("ending the time for which old instances are kept", plan.facts(cli.dry_run))?;
    if let Some(after) = after
        && !still_kept(session, &state, after)?
    {
        return Ok(Answer::yes("nothing is kept any more", json!({"changed": false})));
    }
    let Some((balancer, intent)) = in_hand::of_project(session, &plan, &state)? else {
        return Ok(Answer::yes("nothing is kept", json!({"changed": false})));
    };
    must_be_done(&intent)?;
    if cli.dry_run {
        return in_hand::would(session, &format!("stop and remove the instances of {}", intent.from.version));
    }
    let Some(_lock) = lock_for_commit(session, &state, after.is_some())? else {
        return Ok(Answer::yes("nothing is kept any more", json!({"changed": false})));
    };
    // Somebody may have gone back while we waited for the lock.
    if Intent::read(&state)?.is_none_or(|now| now.run != intent.run || now.phase < Phase::Kept) {
        return Ok(Answer::yes("nothing is kept any more", json!({"changed": false})));
    }
    let mut swap = Swap::new(session, &plan, balancer.as_ref(), intent)?;
    swap.retire_all().map_err(|cause| SwapError::Leftover { cause: Box::new(cause) })?;
    Intent::remove(&state)?;
    let up = conclusion::compose_up(session, &plan)?;
    let facts = json!({"changed": true, "version": swap.intent.to.version, "compose_up": up, "phases_ms": swap.phases()});
    Ok(Answer::yes(format!("only {} is left", swap.intent.to.version), facts))
}

/// The end of a swap that another one follows.
pub(super) fn end_kept(
    session: &Session,
    plan: &Plan,
    balancer: &dyn Balancer,
    intent: Intent,
) -> Result<(), SwapError> {
    must_be_done(&intent)?;
    Swap::new(session, plan, balancer, intent)?.retire_all()?;
    Intent::remove(&plan.project.state()?)
}

/// A swap whose old instances may go: the new release serves, and nobody has begun to go back.
fn must_be_done(intent: &Intent) -> Result<(), SwapError> {
    if matches!(intent.phase, Phase::Kept | Phase::Retire) {
        return Ok(());
    }
    Err(SwapError::Unfinished { run: intent.run.clone(), version: intent.to.version.clone() })
}

/// Sleeps until the time for which old instances are kept is over; false as soon as it need not.
fn still_kept(session: &Session, state: &State, after: Duration) -> Result<bool, SwapError> {
    let begun = std::time::Instant::now();
    loop {
        let kept = Intent::read(state)?.is_some_and(|i| i.run == session.run && i.phase == Phase::Kept);
        if !kept || begun.elapsed() >= after {
            return Ok(kept);
        }
        session.check("waiting until the old instances need not be kept any more")?;
        std::thread::sleep(GLANCE.min(after));
    }
}

/// The lock; whoever waited for long waits for another tool as well, for as long as there is
/// something to commit.
fn lock_for_commit(session: &Session, state: &State, patient: bool) -> Result<Option<Lock>, SwapError> {
    loop {
        match session.begin_change(state) {
            Err(tg_core::Error::Locked { .. }) if patient => {
                session.check("waiting for the project's lock")?;
                std::thread::sleep(GLANCE);
                if Intent::read(state)?.is_none() {
                    return Ok(None);
                }
            }
            other => return Ok(Some(other?)),
        }
    }
}
