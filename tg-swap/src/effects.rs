//! What changes the world, behind one interface: done for real, or only told by a dry run.

use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::process::Runner;
use tg_core::project::Project;
use tg_core::release::{self, Edit};
use tg_core::session::Session;

use crate::error::SwapError;

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
}

/// Does it.
pub(crate) struct Real<'a> {
    pub session: &'a Session,
    pub project: &'a Project,
    pub engine: &'a Engine,
}

impl Real<'_> {
    fn runner(&self) -> Runner<'_> {
        self.session.runner()
    }
}

impl Effects for Real<'_> {
    fn real(&self) -> bool {
        true
    }

    fn pull(&self, reference: &str) -> Result<(), SwapError> {
        self.runner()
            .capture(&mut release::pull_command(reference))
            .map(drop)
            .map_err(|e| pull_error(reference, e))
    }

    fn tag(&self, image_id: &str, repository: &str, tag: &str) -> Result<(), SwapError> {
        Ok(self.engine.tag(image_id, repository, tag)?)
    }

    fn write(&self, edit: &Edit) -> Result<(), SwapError> {
        Ok(edit.apply()?)
    }

    fn remove(&self, container: &Container) -> Result<(), SwapError> {
        Ok(self.engine.remove(&container.id)?)
    }

    fn compose(&self, words: &[&str]) -> Result<(), SwapError> {
        let all: Vec<&str> = ["--progress", "quiet"].into_iter().chain(words.iter().copied()).collect();
        self.runner().capture(&mut self.project.compose.command(&all))?;
        Ok(())
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
