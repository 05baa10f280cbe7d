//! Whether two releases may share the schema: what tg-migrate has rehearsed, and what it has done.

use serde_json::{Value, json};
use tg_core::history;
use tg_core::rehearsal::Rehearsal;
use tg_core::release::Pin;
use tg_core::state::State;

use crate::cli::Accept;
use crate::error::SwapError;
use crate::finding::Finding;
use crate::plan::Plan;

const CURE: &str = "tg-migrate rehearse --to VERSION; or upgrade in a maintenance window";

/// A finding where a migration stands between the releases and nothing has proven that the old one goes on with it.
pub(crate) fn missing(plan: &Plan, wanted: &[(&Pin, String)]) -> Result<Option<Finding>, SwapError> {
    let (state, engine) = (&plan.project.state()?, &plan.engine);
    let Some((_, tag)) = wanted.first() else { return Ok(None) };
    let cure = CURE.replace("VERSION", tag);
    let Some(rehearsal) = Rehearsal::newest(state, tag)? else {
        let msg = format!("a migration to {tag} has changed the schema, and was never rehearsed");
        return Ok(migrated(state, tag).then(|| Finding::unsafe_until(Accept::Unproven, msg, &cure)));
    };
    for (pin, tag) in wanted {
        // One that is not here yet is compared once it is.
        let other =
            engine.image(&pin.at(tag))?.is_some_and(|image| !rehearsal.is_to(&pin.service, &image.id));
        let running = engine.running(&plan.project.name, &pin.service)?;
        let what = if other {
            "the image of"
        // Instances of the release before may be kept beside it.
        } else if !running.is_empty() && !running.iter().any(|c| rehearsal.is_from(&pin.service, &c.image_id))
        {
            "the running image of"
        } else {
            continue;
        };
        let msg = format!("{what} {} is not the one that was rehearsed", pin.service);
        return Ok(Some(Finding::unsafe_until(Accept::Unproven, msg, &cure)));
    }
    if rehearsal.proves() {
        return Ok(None);
    }
    let why = rehearsal.reasons.first().cloned().unwrap_or_default();
    let msg = format!("the rehearsal of {tag} is {}: {why}", rehearsal.conclusion);
    let facts = json!({"conclusion": rehearsal.conclusion, "reasons": rehearsal.reasons});
    Ok(Some(Finding::unsafe_until(Accept::Unproven, msg, &cure).with(facts)))
}

/// Whether a migration to this release has changed the schema.
fn migrated(state: &State, tag: &str) -> bool {
    let did =
        |line: &Value| line["action"] == "migrate" && line["to"] == tag && line["schema_changed"] == true;
    history::read(state).iter().any(did)
}
