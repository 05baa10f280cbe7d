//! Puts the very images back that ran before a run, whatever became of their tags and the registry.

use serde_json::{Value, json};
use tg_core::history;
use tg_core::release::Pin;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use crate::before::Before;
use crate::cli::{Cli, Which};
use crate::effects::{DryRun, Effects, Real};
use crate::error::SwapError;
use crate::plan::Plan;
use crate::start::Move;
use crate::stop::object;
use crate::swap::{self, Intent, Pace};

pub(crate) fn run(
    session: &Session,
    cli: &Cli,
    which: &Which,
    to_run: Option<&str>,
    pace: &Pace,
) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, which)?;
    let state = plan.project.state()?;
    let (run, before) = beginning(session, &state, to_run)?;
    let real = Real::new(session, &plan, pace.ready_timeout)?;
    let dry = DryRun { session };
    let effects: &dyn Effects = if cli.dry_run { &dry } else { &real };
    session.emit.start(&format!("going back to what ran before run {run}"), plan.facts(cli.dry_run))?;
    let _lock = if cli.dry_run { None } else { Some(session.begin_change(&state)?) };
    session.check("rolling back")?;
    let wanted = wanted(&plan, &before, effects)?;
    if !cli.dry_run
        && let Some(answer) = swap::roll_back(session, &plan, &run, &wanted, pace)?
    {
        return Ok(answer);
    }
    let back = Move::plan(&plan, &wanted, &plan.services)?.back();
    let changed = back.perform(session, &plan, effects)?;
    let facts = json!({"changed": changed && effects.real(), "undoes": run, "services": plan.services, "to": back.images, "outcome": "succeeded"});
    if changed && effects.real() {
        history::append(&state, &session.run, crate::TOOL, "rollback", object(facts.clone()))?;
    }
    let msg = if cli.dry_run {
        "dry run: nothing was changed".to_owned()
    } else {
        format!("{} is back", back.releases())
    };
    Ok(Answer::yes(msg, facts))
}

/// Which run to go back before: the one that was named, this procedure's own, or the last change
/// that has not been taken back.
fn beginning(session: &Session, state: &State, to_run: Option<&str>) -> Result<(String, Before), SwapError> {
    let own = session.joined.then_some(session.run.as_str());
    if let Some(run) = to_run {
        let before = Before::read(state, run)?.ok_or_else(|| SwapError::NoSuchRun(run.to_owned()))?;
        return Ok((run.to_owned(), before));
    }
    if let Some(run) = own
        && let Some(before) = Before::read(state, run)?
    {
        return Ok((run.to_owned(), before));
    }
    // The same command again, after a kill: it may be on record already, and another change be the last.
    let in_hand = Intent::read(state)?.and_then(|intent| intent.takes_back().map(str::to_owned));
    let run = in_hand.or_else(|| last_change(&history::read(state))).ok_or(SwapError::NothingToUndo)?;
    let before = Before::read(state, &run)?.ok_or_else(|| SwapError::NoSuchRun(run.clone()))?;
    Ok((run, before))
}

/// The last start that no rollback has undone.
pub(crate) fn last_change(history: &[Value]) -> Option<String> {
    let of = |actions: &'static [&'static str]| {
        let one_of = move |line: &&Value| actions.iter().any(|action| line["action"] == *action);
        history.iter().filter(|line| line["tool"] == crate::TOOL).filter(one_of)
    };
    let done = |line: &&Value| line["outcome"] != "undone";
    let undone: Vec<&Value> = of(&["rollback"]).filter(done).map(|line| &line["undoes"]).collect();
    of(&["start", "swap"])
        .filter(done)
        .rfind(|line| !undone.contains(&&line["run"]))
        .and_then(|line| line["run"].as_str().map(str::to_owned))
}

fn wanted<'a>(
    plan: &'a Plan,
    before: &Before,
    effects: &dyn Effects,
) -> Result<Vec<(&'a Pin, String)>, SwapError> {
    let mut wanted = Vec::new();
    for pin in &plan.pins {
        let Some(service) = before.services.iter().find(|s| s.name == pin.service) else { continue };
        wanted.push((pin, service.tag_of_the_very_image(&plan.engine, effects)?));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_that_is_not_undone_is_gone_back_from() {
        let line = |action: &str, run: &str, undoes: &str| json!({"tool": "tg-swap", "action": action, "run": run, "undoes": undoes});
        let mut history = vec![line("start", "a", ""), line("start", "b", "")];
        assert_eq!(last_change(&history).as_deref(), Some("b"));
        history.push(json!({"tool": "tg-swap", "action": "swap", "run": "x", "outcome": "undone"}));
        assert_eq!(last_change(&history).as_deref(), Some("b"), "what was undone is no change");
        history.push(
            json!({"tool": "tg-swap", "action": "rollback", "run": "y", "outcome": "undone", "undoes": "b"}),
        );
        assert_eq!(last_change(&history).as_deref(), Some("b"), "nor is a rollback that was");
        history.push(line("rollback", "c", "b"));
        assert_eq!(last_change(&history).as_deref(), Some("a"));
        history.push(line("rollback", "d", "a"));
        assert_eq!(last_change(&history), None);
    }
}
