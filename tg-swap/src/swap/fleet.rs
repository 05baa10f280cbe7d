//! The containers of a service, by side.

use tg_core::container::Container;

use crate::error::SwapError;
use crate::swap::Swap;
use tg_core::balancer::{Duty, Instance, Post, Seen};

/// The containers of a service, running or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    /// Of the side that shall serve.
    pub goal: Vec<Container>,
    /// All others.
    pub others: Vec<Container>,
}

impl Swap<'_> {
    pub(super) fn fleet(&self, service: &str) -> Result<Fleet, SwapError> {
        let all = self.patiently(|| Ok(self.plan.engine.containers(&self.plan.project.name, service)?))?;
        let (goal, others) =
            all.into_iter().filter(|c| !c.one_off).partition(|c| self.goal().has(c, self.other()));
        Ok(Fleet { goal, others })
    }

    /// The API's containers of all its services.
    pub(super) fn api(&self) -> Result<Fleet, SwapError> {
        let mut all = Fleet::default();
        for service in &self.plan.project.api {
            let fleet = self.fleet(service)?;
            all.goal.extend(fleet.goal);
            all.others.extend(fleet.others);
        }
        Ok(all)
    }

    /// How the balancer reaches a container.
    pub(super) fn instance(&self, container: &Container) -> Result<Instance, SwapError> {
        Instance::of(container, self.readiness.port)
            .ok_or_else(|| SwapError::NoAddress { container: container.name.clone() })
    }

    /// The running ones of some containers with one duty for all.
    pub(super) fn posts(&self, containers: &[Container], duty: Duty) -> Result<Vec<Post>, SwapError> {
        let running = containers.iter().filter(|c| c.running());
        running.map(|c| Ok(Post { instance: self.instance(c)?, duty })).collect()
    }

    pub(super) fn assign(&self, posts: &[Post]) -> Result<(), SwapError> {
        self.patiently(|| Ok(self.balancer.assign(posts)?))
    }

    pub(super) fn look(&self, containers: &[Container]) -> Result<Vec<Seen>, SwapError> {
        let running = containers.iter().filter(|c| c.running());
        let instances: Vec<Instance> = running.map(|c| self.instance(c)).collect::<Result<_, _>>()?;
        self.patiently(|| Ok(self.balancer.look(&instances)?))
    }
}
