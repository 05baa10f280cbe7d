//! nginx: a file of `server` lines that its upstream includes, and a reload of the workers. nginx
//! counts nothing for an upstream, but a worker of the set before ends when its last request has.

mod include;
mod workers;

use std::path::PathBuf;
use std::time::Duration;

use crate::container::Container;
use crate::deadline::Deadline;
use crate::engine::Engine;
use crate::process::tail;
use crate::project::{DEFAULT_API, Project};
use crate::{Error, atomic_file};

use self::workers::Workers;
use super::config::NginxConfig;
use super::{Abilities, Balancer, BalancerError, Counters, Duty, Instance, Post, Seen};

/// How long the workers of a new set may take to come.
const RELOAD: Duration = Duration::from_secs(15);
/// How often they are looked for.
const POLL: Duration = Duration::from_millis(50);

/// The driver.
pub(crate) struct Nginx<'a> {
    engine: &'a Engine,
    project: String,
    service: String,
    include: PathBuf,
    /// Names that stand for all instances at once.
    services: Vec<String>,
}

impl<'a> Nginx<'a> {
    /// Connects to nothing yet.
    pub(super) fn new(
        config: &NginxConfig,
        project: &Project,
        engine: &'a Engine,
    ) -> Result<Self, BalancerError> {
        project.require(&config.nginx, "balancer")?;
        let include = project.path(&config.include);
        Ok(Nginx {
            services: project.api.clone(),
            ..Nginx::at(engine, &project.name, &config.nginx, include)
        })
    }

    pub(super) fn at(engine: &'a Engine, project: &str, service: &str, include: PathBuf) -> Self {
        let services = vec![DEFAULT_API.to_owned()];
        Nginx { engine, project: project.to_owned(), service: service.to_owned(), include, services }
    }

    fn written(&self) -> Result<String, BalancerError> {
        std::fs::read_to_string(&self.include).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => BalancerError::NotPrepared {
                problem: format!("{} is not there", self.include.display()),
                hint: "write one line into it, server api:3000; and include it in the upstream; docs/load-balancers.md has the lines".into(),
            },
            _ => Error::file(&self.include, &e).into(),
        })
    }

    fn write(&self, text: &str) -> Result<(), BalancerError> {
        // Not a secret, and nginx may run as another user.
        Ok(atomic_file::replace(&self.include, text.as_bytes())?)
    }

    fn containers(&self) -> Result<Vec<Container>, BalancerError> {
        let running = self.engine.running(&self.project, &self.service)?;
        if running.is_empty() {
            let problem = "it has no running container".into();
            return Err(BalancerError::Unreachable { place: format!("service {}", self.service), problem });
        }
        Ok(running)
    }

    fn workers(&self, container: &Container) -> Result<Workers, BalancerError> {
        Ok(Workers::among(&self.engine.top(&container.id)?))
    }

    fn run(&self, container: &Container, words: &[&str]) -> Result<String, BalancerError> {
        let processes = self.engine.top(&container.id)?;
        let mut command = workers::command(&processes);
        command.extend(words);
        let (code, said) = self.engine.exec(&container.id, &command)?;
        if code == 0 { Ok(said) } else { Err(refused(&tail(&said))) }
    }

    /// nginx's own verdict of the file, which must be the one that it reads.
    fn test(&self, container: &Container, text: &str) -> Result<(), BalancerError> {
        if self.run(container, &["-T"])?.contains(text.trim()) {
            return Ok(());
        }
        Err(BalancerError::NotPrepared {
            problem: format!("nginx does not read what was written to {}", self.include.display()),
            hint: "include it in the upstream, and mount its directory instead of the file: it is replaced as a whole".into(),
        })
    }

    /// Loads what was tested; returns when no worker of the set before takes new requests.
    fn reload(&self, container: &Container) -> Result<(), BalancerError> {
        let before = self.workers(container)?;
        self.run(container, &["-s", "reload"])?;
        let deadline = Deadline::after(Some(RELOAD));
        // An nginx that is just being restarted has no workers to show, and then only new ones.
        while !self.workers(container).is_ok_and(|now| now.have_replaced(&before)) {
            if deadline.passed() {
                return Err(refused("no worker with the new set has come; see nginx's log"));
            }
            deadline.sleep(POLL);
        }
        Ok(())
    }
}

impl Balancer for Nginx<'_> {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            // A reload closes idle connections, whoever is about to use them.
            add: false,
            check: false,
            acknowledge: true,
            measure: true,
            share: true,
            count: false,
            persist: true,
        }
    }

    fn assign(&self, posts: &[Post]) -> Result<(), BalancerError> {
        if posts.iter().all(|post| post.duty == Duty::Rest) {
            return Err(refused("nobody would serve"));
        }
        let (wanted, written) = (include::text(posts), self.written()?);
        if wanted == written {
            return Ok(());
        }
        let containers = self.containers()?;
        // Whoever is killed before the end of this leaves a file that says so.
        let pending = include::pending(&wanted);
        self.write(&pending)?;
        if let Err(error) = containers.iter().try_for_each(|container| self.test(container, &pending)) {
            self.write(&written)?;
            return Err(error);
        }
        containers.iter().try_for_each(|container| self.reload(container))?;
        self.write(&wanted)
    }

    fn look(&self, instances: &[Instance]) -> Result<Vec<Seen>, BalancerError> {
        let written = self.written()?;
        let names = include::servers(&written);
        let services = |name: &str| self.services.iter().any(|service| name == service);
        let anyone = include::is_pending(&written) || names.iter().any(|(name, _)| services(name));
        let mut old = 0;
        for container in self.containers()? {
            old += self.workers(&container)?.old();
        }
        let see = |instance: &Instance| {
            let takes_new = anyone || names.contains(&(instance.name.as_str(), instance.port));
            // Whose requests the old workers have can't be told: each may have some of each.
            let in_flight = (!takes_new).then_some(old);
            Seen { name: instance.name.clone(), takes_new, in_flight, ..Seen::default() }
        };
        Ok(instances.iter().map(see).collect())
    }

    fn totals(&self) -> Result<Option<Counters>, BalancerError> {
        Ok(None)
    }
}

fn refused(problem: &str) -> BalancerError {
    BalancerError::Refused { what: "the new set of servers".into(), problem: problem.into() }
}
