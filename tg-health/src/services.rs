//! `docker://SERVICE`: the containers of a service, by what Docker says of them.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tg_core::Error as CoreError;
use tg_core::container::Container;
use tg_core::crash::{Watch, ended};
use tg_core::engine::Engine;
use tg_core::health::Verdict;
use tg_core::project::Project;
use tg_core::redact::Redactor;

use crate::crash::Crashed;
use crate::error::Error;
use crate::source::Source;
use crate::target::Target;

/// Services of the project.
pub(crate) struct Services {
    project: String,
    /// Name, and whether its containers are to end.
    named: Vec<(String, bool)>,
    engine: Engine,
    watch: Watch,
    redactor: Arc<Redactor>,
}

impl Services {
    pub(crate) fn new(
        project: &Project,
        engine: Engine,
        names: &[String],
        redactor: &Arc<Redactor>,
    ) -> Result<Self, CoreError> {
        let one = |name: &String| {
            if project.service(name).is_none() {
                return Err(CoreError::Usage {
                    problem: format!("docker://{name}: no such service"),
                    hint: format!("there are {}", project.service_names().join(", ")),
                });
            }
            Ok((name.clone(), is_one_shot(project, name)))
        };
        Ok(Services {
            project: project.name.clone(),
            named: names.iter().map(one).collect::<Result<_, CoreError>>()?,
            engine,
            watch: Watch::default(),
            redactor: Arc::clone(redactor),
        })
    }
}

impl Source for Services {
    fn targets(&mut self) -> Result<Vec<Target>, Error> {
        let mut targets = Vec::new();
        for (service, one_shot) in &self.named {
            let mut containers = self.engine.containers(&self.project, service)?;
            containers.retain(|container| !container.one_off);
            let missed: Vec<_> = containers.iter().filter(|c| !(*one_shot && done(c))).cloned().collect();
            if let Some(crash) = self.watch.look(&missed, Instant::now()) {
                return Err(Crashed::last_words(crash, &self.engine, &self.redactor));
            }
            if containers.is_empty() {
                targets.push(Target::mute(service, "it has no container"));
            }
            targets.extend(containers.iter().map(|c| Target::told(&c.name, judge(c, *one_shot))));
        }
        Ok(targets)
    }
}

/// Whether a service's work is to end: the migrator, what others wait for the end of, and what is never started again.
pub(crate) fn is_one_shot(project: &Project, name: &str) -> bool {
    let model = project.service(name);
    let awaited = |other: &Value| other["depends_on"][name]["condition"] == "service_completed_successfully";
    name == project.migrate
        || model.is_some_and(|service| service["restart"] == "no" || service["profiles"].is_array())
        || project.service_names().iter().filter_map(|other| project.service(other)).any(awaited)
}

fn done(container: &Container) -> bool {
    ended(container) && container.exit_code == 0
}

fn judge(container: &Container, one_shot: bool) -> Verdict {
    let well = |says: &str| Verdict { ready: true, says: Some(says.into()), ..Verdict::default() };
    let restarted = container.restarts > 0;
    match (container.state.as_str(), container.health.as_deref()) {
        ("running", None | Some("healthy")) => {
            Verdict { warns: restarted, ..well(container.health.as_deref().unwrap_or("running")) }
        }
        ("running", Some("starting")) => Verdict::no("its health check has not passed yet"),
        ("running", Some(health)) => Verdict::no(format!("its health check says {health}")),
        _ if one_shot && done(container) => well("ended with exit 0"),
        _ if container.oom_killed => Verdict::no("it was killed for want of memory"),
        _ if ended(container) => Verdict::no(format!("it has ended with exit {}", container.exit_code)),
        (state, _) => Verdict::no(format!("its container is {state}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: &str, health: Option<&str>, exit_code: i64) -> Container {
        Container { state: state.into(), health: health.map(Into::into), exit_code, ..Container::default() }
    }

    #[test]
    fn a_container_is_well_while_it_runs_and_its_check_passes_and_a_one_shot_when_it_has_ended_well() {
        assert!(judge(&container("running", None, 0), false).ready);
        assert!(judge(&container("running", Some("healthy"), 0), false).ready);
        for health in ["starting", "unhealthy"] {
            assert!(!judge(&container("running", Some(health), 0), false).ready, "{health}");
        }
        assert!(judge(&container("exited", None, 0), true).ready);
        assert!(!judge(&container("exited", None, 1), true).ready);
        assert!(!judge(&container("exited", None, 0), false).ready);
        assert!(!judge(&container("restarting", None, 0), false).ready);
        let killed = Container { oom_killed: true, ..container("exited", None, 137) };
        assert!(judge(&killed, false).reason.unwrap().contains("memory"));
    }
}
