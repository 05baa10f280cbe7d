//! The targets of a Compose project: its health URL, and every API container at its own address.

use std::sync::Arc;
use std::time::Instant;

use tg_core::Error as CoreError;
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::redact::Redactor;

use crate::crash::{Watch, ended};
use crate::error::Error;
use crate::source::Source;
use crate::target::{Target, check_url};

/// What the world asks, from Terragnos Core's guide.
pub(crate) const HEALTH_URL: &str = "http://localhost:3000/v1/health/ready";
/// What a container is asked.
pub(crate) const HEALTH_PATH: &str = "/v1/health/ready";
/// Where a container listens.
pub(crate) const HEALTH_PORT: u16 = 3000;
/// How many of its last log lines a crashed container is quoted with.
const LAST_LINES: u32 = 20;

/// The target behind the balancer, `health_url`.
pub(crate) fn public_target(project: &Project) -> Result<Target, CoreError> {
    let url = project
        .settings()
        .get(None, "health_url", |text| check_url(text).map(|()| text.to_owned()))?
        .unwrap_or_else(|| HEALTH_URL.to_owned());
    Ok(Target::url(&url))
}

/// The project's targets, looked up anew for each round: containers come and go.
pub(crate) struct Stack {
    project: String,
    services: Vec<String>,
    engine: Engine,
    public: Target,
    port: u16,
    path: String,
    watch: Watch,
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
        let settings = project.settings();
        let port = settings.get(None, "health_port", |text| {
            let port = text.parse().ok().filter(|port| *port != 0);
            port.ok_or_else(|| "it must be a port from 1 to 65535".to_owned())
        })?;
        let path = settings.get(None, "health_path", |text| {
            let good = text.starts_with('/') && check_url(&format!("http://h{text}")).is_ok();
            if good { Ok(text.to_owned()) } else { Err("it must be a path such as /health".into()) }
        })?;
        Ok(Stack {
            project: project.name.clone(),
            services: project.api.clone(),
            engine,
            public,
            port: port.unwrap_or(HEALTH_PORT),
            path: path.unwrap_or_else(|| HEALTH_PATH.to_owned()),
            watch: Watch::default(),
            redactor: Arc::clone(redactor),
        })
    }

    /// What is asked of one container; `None` for a leftover that had ended before we came.
    fn target(&self, container: &Container) -> Option<Target> {
        let name = container.name.as_str();
        if ended(container) {
            let reason = format!("it has ended with exit {}", container.exit_code);
            return self.watch.lived(container).then(|| Target::told(name, &reason));
        }
        if !container.running() {
            let reason = format!("its container is {}", container.state);
            return Some(Target::told(name, &reason));
        }
        match container.reach(self.port) {
            Some((host, port)) => Some(Target::named(name, &self.url(&host, port))),
            None => Some(Target::told(name, "its container has no address")),
        }
    }

    fn url(&self, host: &str, port: u16) -> String {
        if host.contains(':') {
            format!("http://[{host}]:{port}{}", self.path)
        } else {
            format!("http://{host}:{port}{}", self.path)
        }
    }
}

impl Source for Stack {
    fn targets(&mut self) -> Result<Vec<Target>, Error> {
        let mut targets = vec![self.public.clone()];
        for service in &self.services.clone() {
            let mut containers = self.engine.containers(&self.project, service)?;
            containers.retain(|container| !container.one_off);
            if let Some(crash) = self.watch.look(&containers, Instant::now()) {
                // Its last words help, but their absence must not hide the crash.
                let lines = self.engine.logs(&crash.id, LAST_LINES).unwrap_or_default();
                let lines: Vec<_> = lines.iter().map(|line| self.redactor.clean(line)).collect();
                return Err(Error::Crashed {
                    crash: Box::new(crash.with_lines(&lines)),
                    summary: serde_json::json!({}),
                });
            }
            let found: Vec<_> = containers.iter().filter_map(|c| self.target(c)).collect();
            if found.is_empty() {
                let reason = format!("no running container of service {service}");
                targets.push(Target::told(service, &reason));
            }
            targets.extend(found);
        }
        Ok(targets)
    }
}
