//! Starts services, at another release where one is named.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tg_core::history;
use tg_core::release::{self, Edit, Pin};
use tg_core::session::{Answer, Session};

use crate::before::Before;
use crate::bring_up::{Way, await_up, bring_up};
use crate::cli::{Cli, To, Which};
use crate::effects::{DryRun, Effects, Real, outlast};
use crate::error::SwapError;
use crate::plan::Plan;
use crate::stale;
use crate::stop::{object, words};
use crate::swap::Intent;
use tg_core::balancer::{self, Duty, Instance, Post};

pub(crate) fn run(session: &Session, cli: &Cli, which: &Which, to: &To) -> Result<Answer, SwapError> {
    let plan = Plan::read(session, which)?;
    let wanted = plan.wanted(to)?;
    let move_to = Move::plan(&plan, &wanted, &plan.services)?;
    session.emit.start(
        &format!("starting {} at {}", plan.services.join(", "), move_to.releases()),
        plan.facts(cli.dry_run),
    )?;
    if cli.dry_run {
        move_to.perform(session, &plan, &DryRun { session })?;
        return Ok(Answer::yes("dry run: nothing was changed", json!({"changed": false})));
    }
    let state = plan.project.state()?;
    let _lock = session.begin_change(&state)?;
    session.check("starting")?;
    let effects = Real::new(session, &plan, None)?;
    let before = Before::record(session, &plan, &effects)?;
    let changed = move_to.perform(session, &plan, &effects)?;
    let facts = json!({
        "changed": changed, "services": plan.services, "to": move_to.images, "outcome": "succeeded",
        "ran": move_to.ids, "from": before.services.iter().map(|s| (s.name.clone(), json!(s.image_id))).collect::<serde_json::Map<_, _>>(),
    });
    if changed {
        history::append(&state, &session.run, crate::TOOL, "start", object(facts.clone()))?;
    }
    Ok(Answer::yes(format!("{} started at {}", plan.services.join(", "), move_to.releases()), facts))
}

/// A move of services to images: which files say so, and what must run in the end.
pub(crate) struct Move {
    services: Vec<String>,
    way: Way,
    /// The services that ran before; only they are started again when the move is undone.
    ran: Vec<String>,
    edits: Vec<Edit>,
    /// Image reference by service, of every service whose release is written there.
    pub images: BTreeMap<String, String>,
    /// Image id by service, of the services that are started.
    pub ids: BTreeMap<String, String>,
}

impl Move {
    /// Works out the edits and checks that every image is on this host; changes nothing.
    pub(crate) fn plan(
        plan: &Plan,
        wanted: &[(&Pin, String)],
        services: &[String],
    ) -> Result<Self, SwapError> {
        let images: BTreeMap<_, _> =
            wanted.iter().map(|(pin, tag)| (pin.service.clone(), pin.at(tag))).collect();
        let mut ids = BTreeMap::new();
        for pin in plan.pins_of(services) {
            let reference = &images[&pin.service];
            let image =
                plan.engine.image(reference)?.ok_or_else(|| SwapError::ImageMissing(reference.clone()))?;
            ids.insert(pin.service.clone(), image.id);
        }
        let edits = release::edits(&plan.project, wanted)?;
        let mut ran = Vec::new();
        for service in services {
            if !plan.engine.running(&plan.project.name, service)?.is_empty() {
                ran.push(service.clone());
            }
        }
        Ok(Move { services: services.to_vec(), way: Way::Forth, ran, edits, images, ids })
    }

    /// The same as a way back.
    pub(crate) fn back(self) -> Self {
        Move { way: Way::Back, ..self }
    }

    /// The releases in words.
    pub(crate) fn releases(&self) -> String {
        let mut tags: Vec<&str> = self.ids.keys().filter_map(|s| self.images[s].rsplit('/').next()).collect();
        tags.dedup();
        tags.join(", ")
    }

    /// Writes the files and lets Compose start the services. True when that changed anything. What
    /// fails is undone: files as they were, services from them.
    pub(crate) fn perform(
        &self,
        session: &Session,
        plan: &Plan,
        effects: &dyn Effects,
    ) -> Result<bool, SwapError> {
        if self.edits.is_empty() && effects.real() && self.reached(plan, effects)?.is_empty() {
            return Ok(false);
        }
        let files: Vec<_> = self.edits.iter().map(|e| e.path.display().to_string()).collect();
        let intent = json!({"services": self.services, "images": self.images, "files": files});
        let done = session.emit.change(
            "start",
            &format!("start {} at {}", self.services.join(", "), self.releases()),
            intent,
            || {
                self.write(session, plan, effects)?;
                let started = bring_up(session, plan, effects, &self.services, &self.ids, self.way)?;
                let wrong = if effects.real() {
                    await_up(session, plan, effects, &started)?;
                    self.reached(plan, effects)?
                } else {
                    Vec::new()
                };
                if wrong.is_empty() {
                    Ok(((), json!({"images": self.images})))
                } else {
                    Err(SwapError::NotAsTold(wrong.len(), wrong.join(", ")))
                }
            },
        );
        done.map_err(|cause| self.undo(session, plan, effects, cause))?;
        if effects.real() {
            hand_over(session, plan, effects)?;
        }
        Ok(true)
    }

    /// Writes the files, then asks Compose whether it now sees what was meant.
    fn write(&self, session: &Session, plan: &Plan, effects: &dyn Effects) -> Result<(), SwapError> {
        for edit in &self.edits {
            effects.write(edit)?;
        }
        if !effects.real() {
            return Ok(());
        }
        let model = plan.project.compose.config(effects.runner(), &[])?;
        for (service, wanted) in &self.images {
            let found = model["services"][service]["image"].as_str().unwrap_or_default();
            if found != wanted {
                let (service, wanted, found) = (service.clone(), wanted.clone(), found.to_owned());
                return Err(SwapError::EditWithoutEffect { service, wanted, found });
            }
        }
        self.warn_of_others(session, plan, &model)
    }

    /// A service that is not ours but takes its release from the same place moves at the next `up`.
    fn warn_of_others(&self, session: &Session, plan: &Plan, model: &Value) -> Result<(), SwapError> {
        for name in plan.project.service_names().into_iter().filter(|name| !self.images.contains_key(*name)) {
            let (old, new) =
                (plan.project.service(name).map(|s| &s["image"]), &model["services"][name]["image"]);
            if old.is_some_and(|old| old != new) {
                let msg = format!(
                    "service {name} takes its release from the same place; docker compose up would start it at {new}"
                );
                session.emit.warning("also-moves", &msg, json!({"service": name, "image": new}))?;
            }
        }
        Ok(())
    }

    /// What is not as it shall be: services that don't run, or not as the files say.
    fn reached(&self, plan: &Plan, effects: &dyn Effects) -> Result<Vec<String>, SwapError> {
        outlast(effects, || self.look(plan, effects))
    }

    fn look(&self, plan: &Plan, effects: &dyn Effects) -> Result<Vec<String>, SwapError> {
        let mut wrong = Vec::new();
        for service in &self.services {
            if plan.engine.running(&plan.project.name, service)?.is_empty() {
                wrong.push(format!("{service} does not run"));
            }
            let id = self.ids.get(service).map(String::as_str);
            let stale = stale::containers(effects.runner(), plan, service, id)?;
            wrong.extend(stale.iter().map(|c| format!("{} runs {}", c.name, c.image)));
        }
        Ok(wrong)
    }

    pub(crate) fn undo(
        &self,
        session: &Session,
        plan: &Plan,
        effects: &dyn Effects,
        cause: SwapError,
    ) -> SwapError {
        let cause = Box::new(cause);
        let effects = effects.to_the_end();
        let effects = effects.as_ref();
        let undone = session.emit.change("start-undo", "put files and services back", json!({}), || {
            for edit in &self.edits {
                let back = Edit { after: edit.before.clone().unwrap_or_default(), ..edit.clone() };
                effects.write(&back)?;
            }
            let stopped: Vec<String> =
                self.services.iter().filter(|s| !self.ran.contains(s)).cloned().collect();
            if !stopped.is_empty() {
                effects.compose(&words("stop", &stopped))?;
            }
            if !self.ran.is_empty() {
                bring_up(session, plan, effects, &self.ran, &BTreeMap::new(), Way::Back)?;
            }
            Ok::<_, SwapError>(((), json!({})))
        });
        match undone {
            Ok(()) => SwapError::Undone { cause },
            Err(undo) => SwapError::Stuck { cause, undo: Box::new(undo), run: session.run.clone() },
        }
    }
}

/// What was replaced here is no swap any more, and the balancer shall send requests to those that
/// run now. It can do that later as well: a warning, no failure.
fn hand_over(session: &Session, plan: &Plan, effects: &dyn Effects) -> Result<(), SwapError> {
    Intent::remove(&plan.project.state()?)?;
    let done = outlast(effects, || match balancer::open(session, &plan.project, &plan.engine)? {
        Some(balancer) => Ok(balancer.assign(&serving(plan)?)?),
        None => Ok(()),
    });
    if let Err(error) = done {
        let msg = format!("the load balancer could not be told who runs now: {error}");
        session.emit.warning("balancer", &msg, json!({"reason": error.to_string()}))?;
    }
    Ok(())
}

/// All running instances of the API, serving.
pub(crate) fn serving(plan: &Plan) -> Result<Vec<Post>, tg_core::Error> {
    let (_, port) = plan.project.health_place()?;
    let mut posts = Vec::new();
    for service in &plan.project.api {
        for container in plan.engine.running(&plan.project.name, service)? {
            let Some(instance) = Instance::of(&container, port) else { continue };
            posts.push(Post { instance, duty: Duty::Serve });
        }
    }
    Ok(posts)
}
