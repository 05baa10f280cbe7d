//! What changes the world, behind one interface: done for real, or only told by a dry run.

use std::time::Duration;

use tg_core::container::Container;
use tg_core::deadline::Deadline;
use tg_core::engine::Engine;
use tg_core::process::Runner;
use tg_core::project::Project;
use tg_core::release::{self, Edit};
use tg_core::session::Session;

use crate::error::SwapError;
use crate::patience::Patience;
use crate::plan::Plan;
use crate::{dependencies, held, ready};

/// Everything that tg-swap can do to a host.
pub(crate) trait Effects {
    /// Whether anything is really done.
    fn real(&self) -> bool;
    /// Fetches an image.
    fn pull(&self, reference: &str) -> Result<(), SwapError>;
    /// Gives an image one more name.
    fn tag(&self, image_id: &str, repository: &str, tag: &str) -> Result<(), SwapError>;
    /// Replaces a file of the project.
    fn write(&self, edit: &Edit) -> Result<(), SwapError>;
    /// Removes a container.
    fn remove(&self, container: &Container) -> Result<(), SwapError>;
    /// Runs `docker compose …`.
    fn compose(&self, words: &[&str]) -> Result<(), SwapError>;
    /// Starts services whose containers exist, as `docker compose start` does: what they depend on shall be healthy.
    fn start(&self, services: &[String]) -> Result<(), SwapError>;
    /// Starts containers that ran before, whatever the health check of another says now.
    fn start_again(&self, containers: &[Container]) -> Result<(), SwapError>;
    /// Does something once more for as long as its failure may pass.
    fn outlast(&self, work: &mut dyn FnMut() -> Result<(), SwapError>) -> Result<(), SwapError>;
    /// Programs of the host, under the deadline of these effects.
    fn runner(&self) -> Runner<'_>;
    /// The same for a way back, which neither the deadline nor the user ends.
    fn to_the_end(&self) -> Box<dyn Effects + '_>;
}

/// The answer of a question that is asked again for as long as its failure may pass.
pub(crate) fn outlast<T>(
    effects: &dyn Effects,
    mut ask: impl FnMut() -> Result<T, SwapError>,
) -> Result<T, SwapError> {
    let mut answer = None;
    effects.outlast(&mut || {
        answer = Some(ask()?);
        Ok(())
    })?;
    answer.ok_or_else(|| SwapError::NotAsTold(1, "nothing was asked".into()))
}

/// Does it.
pub(crate) struct Real<'a> {
    session: &'a Session,
    project: &'a Project,
    engine: &'a Engine,
    ready_timeout: Duration,
    patience: Patience<'a>,
    /// Whether the deadline and the user are not asked: on a way back.
    to_the_end: bool,
}

impl<'a> Real<'a> {
    /// On this project; what may pass is waited for as long as an instance may take to get ready.
    pub(crate) fn new(
        session: &'a Session,
        plan: &'a Plan,
        ready_timeout: Option<Duration>,
    ) -> Result<Self, SwapError> {
        Ok(Self::within(session, plan, ready::timeout(ready_timeout, &plan.project)?))
    }

    fn within(session: &'a Session, plan: &'a Plan, ready_timeout: Duration) -> Self {
        let (project, engine) = (&plan.project, &plan.engine);
        let patience = Patience::new(&session.emit, ready_timeout);
        Real { session, project, engine, ready_timeout, patience, to_the_end: false }
    }

    fn check(&self, doing: &str) -> Result<(), SwapError> {
        if self.to_the_end { Ok(()) } else { Ok(self.session.check(doing)?) }
    }

    fn patiently<T>(&self, ask: impl FnMut() -> Result<T, SwapError>) -> Result<T, SwapError> {
        let may_pass = |error: &SwapError| held::may_pass(self.engine, &self.project.name, error);
        self.patience.outlast(&|doing| self.check(doing), &may_pass, ask)
    }
}

impl Effects for Real<'_> {
    fn real(&self) -> bool {
        true
    }

    fn pull(&self, reference: &str) -> Result<(), SwapError> {
        let mut command = release::pull_command(reference);
        self.patiently(|| self.runner().capture(&mut command).map(drop).map_err(|e| pull_error(reference, e)))
    }

    fn tag(&self, image_id: &str, repository: &str, tag: &str) -> Result<(), SwapError> {
        self.patiently(|| Ok(self.engine.tag(image_id, repository, tag)?))
    }

    fn write(&self, edit: &Edit) -> Result<(), SwapError> {
        Ok(edit.apply()?)
    }

    fn remove(&self, container: &Container) -> Result<(), SwapError> {
        self.patiently(|| Ok(self.engine.remove(&container.id)?))
    }

    fn compose(&self, words: &[&str]) -> Result<(), SwapError> {
        let all: Vec<&str> = ["--progress", "quiet"].into_iter().chain(words.iter().copied()).collect();
        let mut command = self.project.compose.command(&all);
        self.patiently(|| Ok(self.runner().capture(&mut command).map(drop)?))
    }

    fn start(&self, services: &[String]) -> Result<(), SwapError> {
        let words = ["--progress", "quiet", "start"].into_iter().chain(services.iter().map(String::as_str));
        let mut command = self.project.compose.command(&words.collect::<Vec<_>>());
        self.patiently(|| {
            // Asked before Compose, which would refuse at once; it still may, for a check that misses in between.
            dependencies::must_be_healthy(self.session, self.project, self.engine, services)?;
            Ok(self.runner().capture(&mut command).map(drop)?)
        })
    }

    fn start_again(&self, containers: &[Container]) -> Result<(), SwapError> {
        let ids: Vec<&str> = containers.iter().map(|c| c.id.as_str()).collect();
        self.patiently(|| Ok(self.engine.start_all(&ids)?))
    }

    fn outlast(&self, work: &mut dyn FnMut() -> Result<(), SwapError>) -> Result<(), SwapError> {
        self.patiently(work)
    }

    fn runner(&self) -> Runner<'_> {
        let deadline = if self.to_the_end { Deadline::after(None) } else { self.session.deadline };
        self.session.runner().until(deadline)
    }

    fn to_the_end(&self) -> Box<dyn Effects + '_> {
        let patience = Patience::new(&self.session.emit, self.ready_timeout);
        Box::new(Real { patience, to_the_end: true, ..*self })
    }
}

/// Only tells.
pub(crate) struct DryRun<'a> {
    pub session: &'a Session,
}

impl DryRun<'_> {
    fn would(&self, what: &str) -> Result<(), SwapError> {
        let data = serde_json::json!({"kind": "would", "action": what});
        Ok(self.session.emit.record(&format!("would {what}"), data)?)
    }
}

impl Effects for DryRun<'_> {
    fn real(&self) -> bool {
        false
    }

    fn pull(&self, reference: &str) -> Result<(), SwapError> {
        self.would(&format!("pull {reference}"))
    }

    fn tag(&self, image_id: &str, repository: &str, tag: &str) -> Result<(), SwapError> {
        self.would(&format!("keep image {image_id} as {repository}:{tag}"))
    }

    fn write(&self, edit: &Edit) -> Result<(), SwapError> {
        let old: Vec<&str> = edit.before.as_deref().unwrap_or_default().lines().collect();
        // Only the lines that differ, and they hold a release: a whole .env file holds secrets.
        for line in edit.after.lines().filter(|line| !old.contains(line)) {
            self.would(&format!("write in {}: {}", edit.path.display(), line.trim()))?;
        }
        Ok(())
    }

    fn remove(&self, container: &Container) -> Result<(), SwapError> {
        self.would(&format!("remove container {}", container.name))
    }

    fn compose(&self, words: &[&str]) -> Result<(), SwapError> {
        self.would(&format!("run docker compose {}", words.join(" ")))
    }

    fn start(&self, services: &[String]) -> Result<(), SwapError> {
        self.would(&format!("run docker compose start {}", services.join(" ")))
    }

    fn start_again(&self, containers: &[Container]) -> Result<(), SwapError> {
        let names: Vec<&str> = containers.iter().map(|c| c.name.as_str()).collect();
        self.would(&format!("start {}", names.join(", ")))
    }

    fn outlast(&self, work: &mut dyn FnMut() -> Result<(), SwapError>) -> Result<(), SwapError> {
        work()
    }

    fn runner(&self) -> Runner<'_> {
        self.session.runner()
    }

    fn to_the_end(&self) -> Box<dyn Effects + '_> {
        Box::new(DryRun { session: self.session })
    }
}

/// Tells a version that does not exist from a registry that can't be asked, by Docker's words.
fn pull_error(reference: &str, error: tg_core::Error) -> SwapError {
    let tg_core::Error::ProgramFailed { problem, .. } = error else { return error.into() };
    let reference = reference.to_owned();
    if problem.contains("Cannot connect to the Docker daemon") {
        return tg_core::Error::EngineUnreachable(problem).into();
    }
    if problem.contains("manifest unknown")
        || problem.contains("not found")
        || problem.contains("name unknown")
    {
        return SwapError::ImageNotFound { reference, problem };
    }
    SwapError::Registry { reference, problem }
}
