//! The targets of a Compose project: its health URL, and every API container at its own address.

use std::sync::Arc;
use std::time::Instant;

use tg_core::Error as CoreError;
use tg_core::container::Container;
use tg_core::crash::{Watch, ended};
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::redact::Redactor;
use tg_core::state::State;

use crate::crash::Crashed;
use crate::error::Error;
use crate::source::Source;
use crate::target::Target;

/// The project's targets, looked up anew for each round: containers come and go.
pub(crate) struct Stack {
    project: String,
    services: Vec<String>,
    engine: Engine,
    public: Target,
    port: u16,
    path: String,
    watch: Watch,
    state: State,
    redactor: Arc<Redactor>,
}

impl Stack {
    /// Checks the settings that say how a container is asked.
    pub(crate) fn new(
        project: &Project,
        engine: Engine,
        public: Target,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, CoreError> {
        for service in &project.api {
            project.require(service, "api")?;
        }
        let (path, port) = project.health_place()?;
        Ok(Stack {
            project: project.name.clone(),
            services: project.api.clone(),
            engine,
            public,
            port,
            path,
            watch: Watch::default(),
            state: project.state()?,
            redactor: Arc::clone(redactor),
        })
    }

    /// What is asked of one container; `None` for a leftover that had ended before we came.
    fn target(&self, container: &Container) -> Option<Target> {
        let name = container.name.as_str();
        if ended(container) {
            let reason = format!("it has ended with exit {}", container.exit_code);
            return self.watch.lived(container).then(|| Target::mute(name, &reason));
        }
        if !container.running() {
            let reason = format!("its container is {}", container.state);
            return Some(Target::mute(name, &reason));
        }
        match container.url(self.port, &self.path) {
            Some(url) => Some(Target::named(name, &url)),
            None => Some(Target::mute(name, "its container has no address")),
        }
    }
}

impl Source for Stack {
    fn targets(&mut self) -> Result<Vec<Target>, Error> {
        let mut targets = vec![self.public.clone()];
        // What a swap keeps for its way back serves nobody and has another version.
        let resting = self.state.resting();
        for service in &self.services.clone() {
            let mut containers = self.engine.containers(&self.project, service)?;
            containers.retain(|container| !container.one_off && !resting.contains(&container.id));
            if let Some(crash) = self.watch.look(&containers, Instant::now()) {
                return Err(Crashed::last_words(crash, &self.engine, &self.redactor));
            }
            let found: Vec<_> = containers.iter().filter_map(|c| self.target(c)).collect();
            if found.is_empty() {
                let reason = format!("no running container of service {service}");
                targets.push(Target::mute(service, &reason));
            }
            targets.extend(found);
        }
        Ok(targets)
    }
}
