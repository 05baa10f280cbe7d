//! One image of the project beside what its registry has.

use serde::Serialize;
use tg_core::engine::Engine;
use tg_core::image::Reference;
use tg_core::session::Session;

use crate::cli::Change;
use crate::error::SwapError;
use crate::outdated::newer::Newer;
use crate::registry::Registry;
use crate::registry::problem::{Problem, Trouble};
use crate::registry::repository::Repository;

/// A row of the answer.
#[derive(Debug, Serialize)]
pub(crate) struct Freshness {
    kind: &'static str,
    /// The services that have the image.
    pub services: Vec<String>,
    /// As the project's files say it.
    pub image: String,
    version: String,
    /// Built here or never pulled: there is no registry to ask.
    pub local: bool,
    digest_here: Option<String>,
    digest_there: Option<String>,
    /// Whether the tag has another image in the registry than on this host.
    pub moved: bool,
    newer: Newer,
    /// Why the registry could not tell.
    #[serde(serialize_with = "as_text")]
    pub problem: Option<Problem>,
}

#[expect(clippy::ref_option, reason = "what serde hands out")]
fn as_text<S: serde::Serializer>(problem: &Option<Problem>, serializer: S) -> Result<S::Ok, S::Error> {
    problem.as_ref().map(ToString::to_string).serialize(serializer)
}

impl Freshness {
    /// An image that nobody has asked about yet.
    pub(crate) fn unasked(image: String, local: bool) -> Self {
        let version = Reference::parse(&image).version().to_owned();
        Freshness {
            kind: "image",
            services: Vec::new(),
            image,
            version,
            local,
            digest_here: None,
            digest_there: None,
            moved: false,
            newer: Newer::default(),
            problem: None,
        }
    }

    /// Asks the engine and the registry. What the registry does not tell is a problem of this image
    /// alone.
    pub(crate) fn ask(
        &mut self,
        session: &Session,
        engine: &Engine,
        insecure: &[String],
    ) -> Result<(), SwapError> {
        let reference = Reference::parse(&self.image);
        let here = digests_here(engine, &reference)?;
        self.digest_here = here.first().cloned();
        if self.local {
            return Ok(());
        }
        let mut registry = Registry::of(session, insecure, &reference);
        self.problem = self.compare(&mut registry, &reference, &here).err();
        Ok(())
    }

    fn compare(
        &mut self,
        registry: &mut Registry,
        reference: &Reference,
        here: &[String],
    ) -> Result<(), Problem> {
        let there = registry.digest(reference.version())?;
        // This host may know the image by several digests; the one that is there too says most.
        if there.as_ref().is_some_and(|there| here.contains(there)) {
            self.digest_here.clone_from(&there);
        }
        self.moved = there.is_some() && self.digest_here.is_some() && self.digest_here != there;
        self.digest_there = there;
        if let Some(tag) = &reference.tag {
            self.newer = Newer::among(tag, &registry.tags()?);
        }
        if self.digest_there.is_some() {
            return Ok(());
        }
        let trouble = Trouble::Missing(format!("{}:{}", registry.repository.name, self.version));
        Err(Problem { host: registry.repository.host.clone(), trouble })
    }

    /// Whether the image is behind in one of these ways.
    pub(crate) fn is_behind(&self, only: &[Change]) -> bool {
        only.iter().any(|change| match change {
            Change::Patch => self.newer.patch.is_some(),
            Change::Minor => self.newer.minor.is_some(),
            Change::Major => self.newer.major.is_some(),
            Change::Moved => self.moved,
        })
    }

    /// The row for people.
    pub(crate) fn line(&self) -> String {
        let mut found: Vec<String> =
            self.newer.steps().map(|(step, tag)| format!("{tag} ({step})")).collect();
        if self.moved {
            found.push(format!("another image as {}", self.version));
        }
        let state = match (&self.problem, self.local) {
            (_, true) => "from no registry".to_owned(),
            (Some(problem), _) if found.is_empty() => problem.to_string(),
            (Some(problem), _) => format!("{}; {problem}", found.join(", ")),
            (None, _) if found.is_empty() => "current".to_owned(),
            (None, _) => found.join(", "),
        };
        format!("{} ({}): {state}", self.image, self.services.join(", "))
    }
}

/// The digests that this host knows the image by in its repository, or the one that is written.
fn digests_here(engine: &Engine, reference: &Reference) -> Result<Vec<String>, SwapError> {
    if let Some(digest) = &reference.digest {
        return Ok(vec![digest.clone()]);
    }
    let home = Repository::parse(&reference.repository);
    let known = engine.image(&reference.to_string())?.map(|image| image.digests).unwrap_or_default();
    let known = known.iter().map(|name| Reference::parse(name));
    Ok(known.filter(|r| Repository::parse(&r.repository) == home).filter_map(|r| r.digest).collect())
}
