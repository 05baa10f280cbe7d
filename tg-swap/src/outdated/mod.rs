//! Which images of the project are behind their registries? Changes nothing.

mod freshness;
mod newer;
mod tag;

use std::collections::BTreeSet;

use serde_json::json;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::session::{Answer, Session};

use crate::cli::Change;
use crate::error::SwapError;
use crate::outdated::freshness::Freshness;
use crate::registry::problem::Problem;

/// The `pull_policy` of an image that no registry is asked for.
const NEVER_PULLED: [&str; 2] = ["never", "build"];

pub(crate) fn run(session: &Session, only: &[Change]) -> Result<Answer, SwapError> {
    let project = Project::load(session)?;
    let mut images = images(&project);
    let names: Vec<&String> = images.iter().map(|image| &image.image).collect();
    session.emit.start(
        &format!("asking the registries of the images of project {}", project.name),
        json!({"version": crate::VERSION, "project": project.name, "images": names}),
    )?;
    let engine = Engine::connect(&session.bounds())?;
    let insecure = engine.insecure_registries()?;
    for image in &mut images {
        session.check("asking registries")?;
        image.ask(session, &engine, &insecure)?;
        // A question that the deadline has cut short is no problem of the registry.
        session.check("asking registries")?;
        session.emit.record(&image.line(), serde_json::to_value(&image).unwrap_or_default())?;
    }
    conclude(&images, only)
}

/// Every image of the project once, with its services.
fn images(project: &Project) -> Vec<Freshness> {
    let mut images: Vec<Freshness> = Vec::new();
    for (name, service) in project.service_names().into_iter().filter_map(|n| Some((n, project.service(n)?)))
    {
        let built = service["build"].is_object();
        // Compose's own name for what it builds.
        let unnamed = || built.then(|| format!("{}-{name}", project.name));
        let Some(image) = service["image"].as_str().map(str::to_owned).or_else(unnamed) else { continue };
        let local = built || service["pull_policy"].as_str().is_some_and(|p| NEVER_PULLED.contains(&p));
        let same = images.iter().position(|known| known.image == image && known.local == local);
        let at = same.unwrap_or_else(|| {
            images.push(Freshness::unasked(image, local));
            images.len() - 1
        });
        images[at].services.push(name.to_owned());
    }
    images
}

fn conclude(images: &[Freshness], only: &[Change]) -> Result<Answer, SwapError> {
    let behind: Vec<&str> = images.iter().filter(|i| i.is_behind(only)).map(|i| i.image.as_str()).collect();
    let problems: Vec<(&str, &Problem)> =
        images.iter().filter_map(|i| Some((i.image.as_str(), i.problem.as_ref()?))).collect();
    let unanswered: Vec<&str> = problems.iter().map(|(image, _)| *image).collect();
    let summary = json!({"images": images.len(), "outdated": behind, "unanswered": unanswered});
    if !problems.is_empty() {
        let each: Vec<String> =
            problems.iter().map(|(image, problem)| format!("{image}: {problem}")).collect();
        let hints: BTreeSet<String> = problems.iter().map(|(_, problem)| problem.hint()).collect();
        let hint = hints.into_iter().collect::<Vec<_>>().join("; ");
        return Err(SwapError::Unanswered { problem: each.join("; "), hint, summary });
    }
    if behind.is_empty() {
        return Ok(Answer::yes("nothing is outdated", summary));
    }
    Ok(Answer::no(format!("outdated: {}", behind.join(", ")), summary))
}
