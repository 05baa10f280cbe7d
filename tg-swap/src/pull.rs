//! Pulls the images of a release.

use std::collections::BTreeSet;

use serde_json::json;
use tg_core::engine::Engine;
use tg_core::image::Reference;
use tg_core::release;
use tg_core::session::{Answer, Session};

use crate::cli::{Cli, To, Which};
use crate::effects::{DryRun, Effects, Real};
use crate::error::SwapError;
use crate::plan::Plan;
use crate::registry::Registry;

/// A pull touches nothing that runs: the procedure that it is a step of may make its backup meanwhile.
const LOCK: &str = "pull.lock";

pub(crate) fn run(session: &Session, cli: &Cli, to: &To) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, &Which::default())?;
    let wanted = plan.wanted(to)?;
    let references: BTreeSet<String> = wanted.iter().map(|(pin, tag)| pin.at(tag)).collect();
    session.emit.start(&format!("pulling {}", words(&references)), plan.facts(cli.dry_run))?;
    if cli.dry_run {
        return preview(session, &plan.engine, &references);
    }
    let _lock = session.begin_change_beside(&plan.project.state()?, LOCK)?;
    let effects = Real::new(session, &plan, None)?;
    let mut changed = false;
    for reference in &references {
        session.check("pulling")?;
        changed |= pull(session, &plan.engine, &effects, reference)?;
    }
    Ok(Answer::yes(
        format!("{} is on this host", words(&references)),
        json!({"changed": changed, "images": references}),
    ))
}

/// Pulls one image; true when that changed what its name means here.
fn pull(
    session: &Session,
    engine: &Engine,
    effects: &dyn Effects,
    reference: &str,
) -> Result<bool, SwapError> {
    let had = engine.image(reference)?;
    let image =
        session.emit.change("pull", &format!("pull {reference}"), json!({"image": reference}), || {
            effects.pull(reference)?;
            let image =
                engine.image(reference)?.ok_or_else(|| SwapError::ImageMissing(reference.to_owned()))?;
            let data = json!({"image": reference, "image_id": image.id});
            Ok::<_, SwapError>((image, data))
        })?;
    let digest = release::digest_in(&Reference::parse(reference), &image.digests);
    let moved = had.as_ref().is_some_and(|old| old.id != image.id);
    if moved {
        let msg = format!("{reference} means another image now than it did here before");
        session.emit.warning(
            "tag-moved",
            &msg,
            json!({"image": reference, "before": had.as_ref().map(|i| &i.id), "now": image.id}),
        )?;
    }
    let data = json!({
        "kind": "image", "image": reference, "image_id": image.id, "digest": digest, "size_bytes": image.size, "version": image.version,
    });
    session.emit.record(&format!("{reference} is {}", image.id), data)?;
    Ok(had.is_none_or(|old| old.id != image.id))
}

/// Asks the registry and fetches nothing.
fn preview(session: &Session, engine: &Engine, references: &BTreeSet<String>) -> Result<Answer, SwapError> {
    for reference in references {
        let digest = in_registry(session, engine, reference)?;
        let known = digest.as_deref().unwrap_or("there");
        let data = json!({"kind": "image", "image": reference, "digest": digest});
        session.emit.record(&format!("{reference} is {known} in the registry"), data)?;
        DryRun { session }.pull(reference)?;
    }
    let msg = format!("dry run: {} can be pulled", words(references));
    Ok(Answer::yes(msg, json!({"changed": false, "images": references})))
}

/// That the registry has an image, and its digest where it tells. The engine asks without
/// credentials, but through its own proxies and mirrors; a registry that wants some is asked by us.
pub(crate) fn in_registry(
    session: &Session,
    engine: &Engine,
    reference: &str,
) -> Result<Option<String>, SwapError> {
    let missing = |problem: String| SwapError::ImageNotFound { reference: reference.to_owned(), problem };
    let registry = |problem: String| SwapError::Registry { reference: reference.to_owned(), problem };
    match engine.registry_digest(reference) {
        Ok(Some(digest)) => Ok(Some(digest)),
        Ok(None) => Err(missing("the registry has none".into())),
        Err(tg_core::Error::Engine(problem)) if problem.contains("manifest unknown") => Err(missing(problem)),
        Err(tg_core::Error::Engine(problem)) if wants_credentials(&problem) => {
            let name = Reference::parse(reference);
            let answer = Registry::of(session, &engine.insecure_registries()?, &name).digest(name.version());
            answer
                .map_err(|problem| registry(problem.to_string()))?
                .ok_or_else(|| missing("the registry has none".into()))
                .map(Some)
        }
        Err(tg_core::Error::Engine(problem)) => Err(registry(problem)),
        Err(error) => Err(error.into()),
    }
}

fn wants_credentials(problem: &str) -> bool {
    ["401", "403", "unauthorized", "denied", "authentication", "no basic auth"]
        .iter()
        .any(|word| problem.contains(word))
}

fn words(references: &BTreeSet<String>) -> String {
    references.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
