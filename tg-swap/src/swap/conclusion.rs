//! A swap is driven to its end and put on record.

use serde_json::{Value, json};
use tg_core::Fault;
use tg_core::history;
use tg_core::lock::Lock;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use super::{keeper, way_back};
use crate::error::SwapError;
use crate::plan::Plan;
use crate::stop::object;
use crate::swap::{ComposeUp, Intent, Phase, Swap};
use tg_core::balancer::Balancer;

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

/// Drives a swap to its end, which puts it on record: as a rollback, where it is one.
pub(super) fn conclude(
    session: &Session,
    plan: &Plan,
    state: &State,
    balancer: &dyn Balancer,
    intent: Intent,
) -> Result<(Intent, Answer), SwapError> {
    let mut swap = Swap::new(session, plan, balancer, intent)?;
    match swap.go() {
        Ok(()) => {}
        Err(SwapError::Undone { cause }) => {
            let evidence = swap.evidence();
            let facts = json!({
                "from": swap.intent.from.version, "to": swap.intent.to.version, "outcome": "undone",
                "error": {"code": cause.code(), "message": cause.to_string()}, "evidence": evidence,
            });
            history::append(state, &swap.intent.run, crate::TOOL, swap.action(), object(facts))?;
            Intent::remove(state)?;
            return Err(SwapError::UndoneSwap { cause, evidence });
        }
        Err(error) => return Err(error),
    }
    let up = compose_up(session, plan)?;
    if swap.intent.phase == Phase::Retire {
        swap.put_on_record()?;
        Intent::remove(state)?;
    }
    let mut facts = swap.facts();
    facts["compose_up"] = json!(up);
    let intent = swap.intent.clone();
    let version = &intent.to.version;
    let msg = match (&intent.undoes, &intent.kept_until) {
        (Some(_), _) => format!("{version} is back"),
        (None, Some(until)) => format!(
            "{version} serves; tg-swap rollback goes back at once until {until}, tg-swap commit ends that"
        ),
        (None, None) => format!("{version} serves"),
    };
    Ok((intent, Answer::yes(msg, facts)))
}

impl Swap<'_> {
    fn action(&self) -> &'static str {
        if self.intent.undoes.is_some() { "rollback" } else { "swap" }
    }

    fn facts(&self) -> Value {
        let (intent, plan) = (&self.intent, self.plan);
        let ran: Value =
            intent.to.services.iter().map(|(name, side)| (name.clone(), json!(side.image_id))).collect();
        let mut facts = json!({
            "changed": true, "from": intent.from.version, "to": intent.to.version, "outcome": "succeeded",
            "services": plan.services, "balancer": self.balancer.name(), "abilities": self.balancer.abilities(),
            "evidence": self.evidence(), "cut": intent.cut(), "drained": intent.drained(), "phases_ms": self.phases(),
            "kept_until": intent.kept_until, "ran": ran,
        });
        if let Some(run) = &intent.undoes {
            facts["undoes"] = json!(run);
        }
        facts
    }

    /// Called before the swap is out of hand, as a kill may come in between.
    pub(super) fn put_on_record(&self) -> Result<(), SwapError> {
        let run = &self.intent.run;
        record(&self.state, run, self.action(), ("run", run), self.facts())
    }
}

/// Puts a change that succeeded on record, unless one that was killed right after has done so: what tells it is the value of a key.
pub(super) fn record(
    state: &State,
    run: &str,
    action: &str,
    (key, value): (&str, &str),
    facts: Value,
) -> Result<(), SwapError> {
    let same =
        |line: &Value| line["action"] == action && line[key] == value && line["outcome"] == "succeeded";
    if history::read(state).iter().any(same) {
        return Ok(());
    }
    Ok(history::append(state, run, crate::TOOL, action, object(facts))?)
}

/// What `docker compose up -d` would do now; it warns where that would stop what serves.
pub(super) fn compose_up(session: &Session, plan: &Plan) -> Result<ComposeUp, SwapError> {
    let runner = session.runner().until(tg_core::deadline::Deadline::after(None));
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
