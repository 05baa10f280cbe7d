//! What a command is about: the project, its services and where their release is written.

use serde_json::{Value, json};
use tg_core::engine::Engine;
use tg_core::image::is_tag;
use tg_core::project::Project;
use tg_core::release::Pin;
use tg_core::session::Session;

use crate::cli::{Role, To, Which};
use crate::error::SwapError;
use crate::gate;

/// Everything that is known before anything is changed.
pub(crate) struct Plan {
    pub project: Project,
    pub engine: Engine,
    /// The services that the command is about, API first.
    pub services: Vec<String>,
    /// Where each service that runs a release has it written; the migrator's too.
    pub pins: Vec<Pin>,
}

impl Plan {
    /// Reads the project and checks the services' names.
    pub(crate) fn read(session: &Session, which: &Which) -> Result<Self, SwapError> {
        let named = &which.services;
        let project = Project::load(session)?;
        let application = project.application()?;
        for name in named {
            if project.service(name).is_none() {
                return Err(SwapError::NoService {
                    name: name.clone(),
                    known: project.service_names().join(", "),
                });
            }
        }
        let services = match which.role {
            Some(Role::Api) => project.api.clone(),
            Some(Role::Worker) => project.worker.clone(),
            None if named.is_empty() => application.clone(),
            None => named.clone(),
        };
        let mut releasing = application;
        releasing.extend(
            named
                .iter()
                .filter(|name| !project.api.contains(name) && !project.worker.contains(name))
                .cloned(),
        );
        if project.service(&project.migrate).is_some() && !releasing.contains(&project.migrate) {
            releasing.push(project.migrate.clone());
        }
        let runner = session.runner();
        let pins = Pin::find(&project, runner, &releasing)?;
        Ok(Plan { project, engine: Engine::connect(&session.bounds())?, services, pins })
    }

    /// The pins of some services.
    pub(crate) fn pins_of<'a>(&'a self, services: &'a [String]) -> impl Iterator<Item = &'a Pin> {
        self.pins.iter().filter(|pin| services.contains(&pin.service))
    }

    /// The tag that each pin shall name, checked against the step from the present one.
    pub(crate) fn wanted(&self, to: &To) -> Result<Vec<(&Pin, String)>, SwapError> {
        let tags = self.tags(to.to.as_deref())?;
        for pin in &self.pins {
            if let Some(tag) = &to.to {
                gate::check(pin.reference.version(), tag, &to.accept)?;
            }
        }
        Ok(tags)
    }

    /// The tag that each pin shall name; its own where no release is named.
    pub(crate) fn tags(&self, to: Option<&str>) -> Result<Vec<(&Pin, String)>, SwapError> {
        let Some(tag) = to else {
            return Ok(self.pins.iter().map(|pin| (pin, pin.tag())).collect());
        };
        if !is_tag(tag) {
            return Err(SwapError::NoTag(tag.to_owned()));
        }
        // A digest that an earlier rollback pinned stays while the release stays the same.
        let kept = |pin: &Pin| if pin.reference.version() == tag { pin.tag() } else { tag.to_owned() };
        Ok(self.pins.iter().map(|pin| (pin, kept(pin))).collect())
    }

    /// The facts of the first line.
    pub(crate) fn facts(&self, dry_run: bool) -> Value {
        let releases: serde_json::Map<String, Value> =
            self.pins.iter().map(|pin| (pin.service.clone(), json!(pin.reference.to_string()))).collect();
        json!({
            "version": crate::VERSION, "project": self.project.name, "services": self.services,
            "configured": releases, "dry_run": dry_run,
        })
    }
}
