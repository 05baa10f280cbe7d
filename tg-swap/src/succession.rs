//! What runs in each service now, and what would run then.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tg_core::Fault;
use tg_core::container::Container;
use tg_core::engine::{Engine, Image};
use tg_core::image::Reference;
use tg_core::release::{self, Pin};
use tg_core::session::Session;

use crate::before;
use crate::error::SwapError;
use crate::plan::Plan;
use crate::pull;

/// An image that runs, or that would be started where nothing runs.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    pub reference: String,
    pub version: String,
    pub image: Image,
    /// How many containers run it.
    pub containers: usize,
}

/// What the registry says of the target.
#[derive(Clone, Debug)]
pub(crate) enum Registry {
    /// It has it; the digest where it tells one.
    Has(Option<String>),
    /// It could not be asked or has it not, by the error's code and words; the image is on this host
    /// all the same.
    Silent(&'static str, String),
}

/// The image to go to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub reference: String,
    pub version: String,
    pub here: Option<Image>,
    pub registry: Registry,
}

/// One service now and then.
#[derive(Clone, Debug)]
pub(crate) struct Succession {
    pub service: String,
    pub now: Vec<Present>,
    pub then: Target,
}

/// Looks at every service that runs a release, the migrator too. An image that is neither here nor in the
/// registry is an error.
pub(crate) fn look(
    session: &Session,
    plan: &Plan,
    wanted: &[(&Pin, String)],
) -> Result<Vec<Succession>, SwapError> {
    let mut targets: BTreeMap<String, Target> = BTreeMap::new();
    let mut successions = Vec::new();
    for (pin, tag) in wanted {
        session.check("planning")?;
        let reference = pin.at(tag);
        if !targets.contains_key(&reference) {
            targets.insert(reference.clone(), Target::look(session, &plan.engine, &reference)?);
        }
        let then = targets[&reference].clone();
        successions.push(Succession { service: pin.service.clone(), now: present(plan, pin)?, then });
    }
    Ok(successions)
}

/// The distinct images that a service runs; where it runs none, the one that it is configured to run.
fn present(plan: &Plan, pin: &Pin) -> Result<Vec<Present>, SwapError> {
    let mut found: Vec<Present> = Vec::new();
    for container in plan.engine.running(&plan.project.name, &pin.service)? {
        match found.iter_mut().find(|p| p.image.id == container.image_id) {
            Some(known) => known.containers += 1,
            None => found.push(Present::of(&plan.engine, &container)?),
        }
    }
    let reference = pin.reference.to_string();
    if found.is_empty()
        && let Some(image) = plan.engine.image(&reference)?
    {
        let version = before::version_of(&image, &pin.reference);
        found.push(Present { reference, version, image, containers: 0 });
    }
    Ok(found)
}

impl Present {
    fn of(engine: &Engine, container: &Container) -> Result<Self, SwapError> {
        let image = engine
            .image(&container.image_id)?
            .unwrap_or_else(|| Image { id: container.image_id.clone(), ..Image::default() });
        let version = before::version_of(&image, &Reference::parse(&container.image));
        Ok(Present { reference: container.image.clone(), version, image, containers: 1 })
    }

    fn data(&self) -> Value {
        let digest = release::digest_in(&Reference::parse(&self.reference), &self.image.digests);
        json!({
            "image": self.reference, "version": self.version, "image_id": self.image.id, "digest": digest,
            "size_bytes": self.image.size, "containers": self.containers,
        })
    }
}

impl Target {
    fn look(session: &Session, engine: &Engine, reference: &str) -> Result<Self, SwapError> {
        let here = engine.image(reference)?;
        let registry = match pull::in_registry(session, engine, reference) {
            Ok(digest) => Registry::Has(digest),
            Err(SwapError::Core(error)) => return Err(error.into()),
            Err(problem) if here.is_some() => Registry::Silent(problem.code(), problem.to_string()),
            Err(problem) => return Err(problem),
        };
        let version = Reference::parse(reference).version().to_owned();
        Ok(Target { reference: reference.to_owned(), version, here, registry })
    }

    /// The digest that a pull would bring, else that of the image on this host.
    fn digest(&self) -> Option<String> {
        match &self.registry {
            Registry::Has(Some(digest)) => Some(digest.clone()),
            _ => self.digest_here(),
        }
    }

    fn digest_here(&self) -> Option<String> {
        release::digest_in(&Reference::parse(&self.reference), &self.here.as_ref()?.digests)
    }

    /// Whether a pull would bring another image than the one that has this name on this host.
    pub(crate) fn moved(&self) -> bool {
        self.here.is_some() && self.digest() != self.digest_here()
    }

    fn data(&self) -> Value {
        json!({
            "image": self.reference, "version": self.version, "digest": self.digest(), "here": self.here.is_some(),
            "image_id": self.here.as_ref().map(|i| &i.id), "size_bytes": self.here.as_ref().map(|i| i.size),
            "in_registry": matches!(self.registry, Registry::Has(_)),
        })
    }
}

impl Succession {
    /// Whether anything that runs is not the target's very image.
    pub(crate) fn changes(&self) -> bool {
        let same = |p: &Present| match &self.then.here {
            Some(image) => image.id == p.image.id && !self.then.moved(),
            None => {
                self.then.digest().is_some_and(|digest| p.image.digests.iter().any(|d| d.ends_with(&digest)))
            }
        };
        self.now.is_empty() || !self.now.iter().all(same)
    }

    pub(crate) fn data(&self) -> Value {
        let now: Vec<Value> = self.now.iter().map(Present::data).collect();
        json!({
            "kind": "image", "service": self.service, "changes": self.changes(), "now": now,
            "then": self.then.data(),
        })
    }

    /// `api: 2 run 1.4.0 (80acca54a21d, 451 MB) -> 1.5.0 (not on this host yet)`.
    pub(crate) fn text(&self) -> String {
        let inside = |image: &Image| format!("{}, {} MB", short(&image.id), image.size / 1_000_000);
        let now: Vec<String> = self
            .now
            .iter()
            .map(|p| match p.containers {
                0 => format!("{} ({})", p.version, inside(&p.image)),
                n => format!("{n} x {} ({})", p.version, inside(&p.image)),
            })
            .collect();
        let now = if now.is_empty() { "nothing".to_owned() } else { now.join(" and ") };
        let then = self.then.here.as_ref().map_or_else(|| "to be pulled".to_owned(), inside);
        format!("{}: {now} -> {} ({then})", self.service, self.then.version)
    }
}

/// The twelve digits by which docker shows an image.
fn short(id: &str) -> &str {
    let hex = id.rsplit(':').next().unwrap_or(id);
    &hex[..hex.len().min(12)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, digest: &str) -> Image {
        Image { id: id.into(), digests: vec![format!("r/app@{digest}")], size: 451_000_000, version: None }
    }

    fn succession(now: &[Image], here: Option<Image>, registry: Option<&str>) -> Succession {
        let now = now
            .iter()
            .map(|i| Present {
                reference: "r/app:1".into(),
                version: "1".into(),
                image: i.clone(),
                containers: 2,
            })
            .collect();
        let registry =
            registry.map_or(Registry::Silent("registry", "down".into()), |d| Registry::Has(Some(d.into())));
        let then = Target { reference: "r/app:2".into(), version: "2".into(), here, registry };
        Succession { service: "api".into(), now, then }
    }

    #[test]
    fn a_service_changes_unless_all_of_it_runs_the_very_image() {
        let (a, b) = (image("sha256:a", "sha256:1"), image("sha256:b", "sha256:2"));
        let one = std::slice::from_ref(&a);
        assert!(!succession(one, Some(a.clone()), Some("sha256:1")).changes());
        assert!(!succession(one, None, Some("sha256:1")).changes(), "known by its digest");
        assert!(!succession(one, Some(a.clone()), None).changes(), "also while the registry is down");
        assert!(succession(&[a.clone(), b.clone()], Some(a.clone()), Some("sha256:1")).changes());
        assert!(succession(&[b], Some(a.clone()), Some("sha256:1")).changes());
        assert!(succession(one, Some(a.clone()), Some("sha256:3")).changes(), "a pull would bring another");
        assert!(succession(&[], Some(a), Some("sha256:1")).changes());
    }

    #[test]
    fn people_see_how_many_run_what() {
        let text = succession(&[image("sha256:80acca54a21d99", "sha256:1")], None, Some("sha256:2")).text();
        assert_eq!(text, "api: 2 x 1 (80acca54a21d, 451 MB) -> 2 (to be pulled)");
    }
}
