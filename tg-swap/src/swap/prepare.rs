//! Where a swap goes from and to, read before anything is changed.

use std::collections::{BTreeMap, HashMap};

use tg_core::event;
use tg_core::release::{self, Pin};
use tg_core::session::Session;

use crate::before::Before;
use crate::effects::Effects;
use crate::error::SwapError;
use crate::lint::replicas;
use crate::plan::Plan;
use crate::swap::{Intent, Options, Phase, Release, Side};
use tg_core::balancer::Balancer;

impl Intent {
    /// Looks at what runs and at what shall run; `None` where that is the same.
    pub(super) fn prepare(
        session: &Session,
        plan: &Plan,
        balancer: &dyn Balancer,
        effects: &dyn Effects,
        wanted: &[(&Pin, String)],
        options: &Options,
    ) -> Result<Option<Self>, SwapError> {
        let to = going_to(session, plan, wanted)?;
        if runs_already(plan, &to)? {
            return Ok(None);
        }
        Before::record(session, plan, effects)?;
        // A step of a procedure may be its second change: what runs now is not what ran at its beginning.
        let before = Before::now(plan, effects)?;
        Ok(Some(Intent {
            run: session.run.clone(),
            since: event::now(),
            undoes: None,
            from: coming_from(session, plan, effects, &before, &to)?,
            to,
            phase: Phase::Forward,
            options: options.clone(),
            kept_until: None,
            resting: Vec::new(),
            counted: balancer.totals()?,
            cut: 0,
            not_measured: None,
        }))
    }
}

/// Compose's hash of each service as the files are now, but at these tags.
fn hashes(
    session: &Session,
    plan: &Plan,
    wanted: &[(&Pin, String)],
) -> Result<HashMap<String, String>, SwapError> {
    let runner = session.runner();
    let (compose, _file) = release::preview(&plan.project, wanted)?;
    Ok(compose.hashes(runner)?)
}

fn going_to(session: &Session, plan: &Plan, wanted: &[(&Pin, String)]) -> Result<Release, SwapError> {
    let hashes = hashes(session, plan, wanted)?;
    let mut services = BTreeMap::new();
    for (pin, tag) in wanted {
        let reference = pin.at(tag);
        let image =
            plan.engine.image(&reference)?.ok_or_else(|| SwapError::ImageMissing(reference.clone()))?;
        let service = &pin.service;
        let side = Side {
            tag: tag.clone(),
            image_id: image.id,
            hash: hashes.get(service).cloned().unwrap_or_default(),
            replicas: plan
                .project
                .service(service)
                .map_or(1, |model| usize::try_from(replicas(model)).unwrap_or(1)),
            containers: Vec::new(),
        };
        services.insert(service.clone(), side);
    }
    let version = wanted.first().map(|(_, tag)| tag.split('@').next().unwrap_or(tag).to_owned());
    Ok(Release { version: version.unwrap_or_default(), services })
}

/// The side that runs: its containers by name, whatever became of the files since.
fn coming_from(
    session: &Session,
    plan: &Plan,
    effects: &dyn Effects,
    before: &Before,
    to: &Release,
) -> Result<Release, SwapError> {
    let mut services: BTreeMap<String, Side> = BTreeMap::new();
    for service in &before.services {
        let mut containers = plan.engine.containers(&plan.project.name, &service.name)?;
        containers.retain(|c| !c.one_off);
        let side = Side {
            tag: service.tag_of_the_very_image(&plan.engine, effects)?,
            image_id: service.image_id.clone(),
            hash: containers.first().map(|c| c.config_hash.clone()).unwrap_or_default(),
            replicas: service.running,
            containers: containers.into_iter().map(|c| c.id).collect(),
        };
        services.insert(service.name.clone(), side);
    }
    // One that has to be made again on the way back is made from the files as they are now. Where only
    // the files differ and not the image, that would be one of the new side.
    let pins = plan.pins.iter().filter_map(|pin| Some((pin, services.get(&pin.service)?.tag.clone())));
    let hashes = hashes(session, plan, &pins.collect::<Vec<_>>())?;
    for (name, side) in &mut services {
        if to.services.get(name).is_some_and(|to| to.image_id != side.image_id) {
            side.hash = hashes.get(name).cloned().unwrap_or_default();
        }
    }
    let version = before.services.first().map(|s| s.version.clone()).unwrap_or_default();
    Ok(Release { version, services })
}

fn runs_already(plan: &Plan, to: &Release) -> Result<bool, SwapError> {
    for service in plan.project.api.iter().chain(&plan.project.worker) {
        let mut containers = plan.engine.containers(&plan.project.name, service)?;
        containers.retain(|c| !c.one_off);
        let all = containers.iter().all(|c| c.running() && to.has(c, &Release::default()));
        if !all || containers.len() != to.replicas(service) {
            return Ok(false);
        }
    }
    Ok(true)
}
