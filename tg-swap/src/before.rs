//! What ran before a run changed anything: written once a run, and never again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tg_core::engine::{Engine, Image};
use tg_core::image::Reference;
use tg_core::release;
use tg_core::session::Session;
use tg_core::state::State;
use tg_core::{Error, atomic_file};

use crate::effects::Effects;
use crate::error::SwapError;
use crate::plan::Plan;

/// The tag under which an image is kept: an image without any name could be pruned.
const KEEP_TAG: &str = "tg-keep-";

/// The services of the application as they were.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Before {
    pub services: Vec<Service>,
}

/// One service as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Service {
    pub name: String,
    /// The image reference that the project's files named.
    pub reference: String,
    /// Its tag as written there.
    pub tag: String,
    /// The release, as the image itself or its tag says it.
    pub version: String,
    /// The image that ran, `sha256:…`.
    pub image_id: String,
    /// Its digest in its repository, if it was ever pushed or pulled.
    pub digest: Option<String>,
    /// How many containers ran.
    pub running: usize,
}

impl Before {
    /// The record of a run, if there is one.
    pub(crate) fn read(state: &State, run: &str) -> Result<Option<Self>, SwapError> {
        let path = file(state, run);
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|e| {
                SwapError::Core(Error::File { path, problem: format!("not a record of tg-swap: {e}") })
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::file(path, &e).into()),
        }
    }

    /// Records what runs now, unless this run has done so already, and keeps the images by a name.
    pub(crate) fn record(session: &Session, plan: &Plan, effects: &dyn Effects) -> Result<Self, SwapError> {
        let state = plan.project.state()?;
        if let Some(before) = Self::read(&state, &session.run)? {
            return Ok(before);
        }
        let before = Self::now(plan, effects)?;
        if effects.real() {
            let text = serde_json::to_string_pretty(&before).unwrap_or_default();
            atomic_file::write(&file(&state, &session.run), text.as_bytes())?;
        }
        Ok(before)
    }

    /// What runs at this moment; its images are kept by a name.
    pub(crate) fn now(plan: &Plan, effects: &dyn Effects) -> Result<Self, SwapError> {
        let mut services = Vec::new();
        for pin in &plan.pins {
            if let Some(service) = Service::look(plan, pin)? {
                services.push(service);
            }
        }
        for service in &services {
            let repository = Reference::parse(&service.reference).repository;
            effects.tag(&service.image_id, &repository, &keep_tag(&service.image_id))?;
        }
        Ok(Before { services })
    }
}

impl Service {
    /// A service whose image is nowhere on this host has never run: there is nothing to go back to.
    fn look(plan: &Plan, pin: &release::Pin) -> Result<Option<Self>, SwapError> {
        let containers = plan.engine.containers(&plan.project.name, &pin.service)?;
        let containers: Vec<_> = containers.into_iter().filter(|c| !c.one_off).collect();
        let reference = pin.reference.to_string();
        let ran = containers.iter().find(|c| c.running()).or_else(|| containers.first());
        let image = match ran {
            Some(container) => plan
                .engine
                .image(&container.image_id)?
                .or(Some(Image { id: container.image_id.clone(), ..Image::default() })),
            None => plan.engine.image(&reference)?,
        };
        let Some(image) = image else { return Ok(None) };
        Ok(Some(Service {
            name: pin.service.clone(),
            version: version_of(&image, &pin.reference),
            tag: pin.tag(),
            digest: release::digest_in(&pin.reference, &image.digests),
            image_id: image.id,
            running: containers.iter().filter(|c| c.running()).count(),
            reference,
        }))
    }

    /// The tag that names exactly the image that ran: the old text if it still means that image,
    /// else with its digest, else the name under which it was kept.
    pub(crate) fn tag_of_the_very_image(
        &self,
        engine: &Engine,
        effects: &dyn Effects,
    ) -> Result<String, SwapError> {
        let reference = Reference::parse(&self.reference);
        let bare = self.tag.split('@').next().unwrap_or_default();
        let with_digest = self.digest.as_ref().map(|digest| format!("{bare}@{digest}"));
        let keep = keep_tag(&self.image_id);
        for tag in std::iter::once(&self.tag).chain(&with_digest).chain(std::iter::once(&keep)) {
            if engine.image(&reference.at(tag))?.is_some_and(|image| image.id == self.image_id) {
                return Ok(tag.clone());
            }
        }
        if let Some(tag) = with_digest {
            effects.pull(&reference.at(&tag))?;
            if engine.image(&reference.at(&tag))?.is_some_and(|image| image.id == self.image_id) {
                return Ok(tag);
            }
        }
        Err(SwapError::ImageGone { service: self.name.clone(), image_id: self.image_id.clone() })
    }
}

/// The release that a service is configured to run.
pub(crate) fn version(engine: &Engine, pin: &release::Pin) -> Result<String, SwapError> {
    let image = engine.image(&pin.reference.to_string())?.unwrap_or_default();
    Ok(version_of(&image, &pin.reference))
}

/// A tag under which we kept an image is no release, nor is an image's id: then its own label tells.
pub(crate) fn version_of(image: &Image, reference: &Reference) -> String {
    let tag = reference.version();
    let nameless = tag.starts_with(KEEP_TAG) || reference.repository == "sha256";
    let label = image.version.as_deref().filter(|_| nameless);
    label.unwrap_or(tag).to_owned()
}

fn file(state: &State, run: &str) -> PathBuf {
    state.run_dir(run).join("before.json")
}

fn keep_tag(image_id: &str) -> String {
    let hex = image_id.rsplit(':').next().unwrap_or(image_id);
    format!("{KEEP_TAG}{}", &hex[..hex.len().min(12)])
}
