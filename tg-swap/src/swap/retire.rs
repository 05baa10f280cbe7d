//! Old instances stopped and removed, once nothing is in flight on them.

use serde_json::json;
use tg_core::container::Container;

use crate::error::SwapError;
use crate::swap::{Phase, Swap};
use tg_core::balancer::Duty;

impl Swap<'_> {
    /// All others of some services.
    pub(super) fn retire(&self, services: &[String]) -> Result<(), SwapError> {
        for service in services {
            let others = self.fleet(service)?.others;
            self.remove(service, &others)?;
        }
        Ok(())
    }

    /// Those of the API that get nothing new any more.
    pub(super) fn retire_drained(&self, service: &str) -> Result<(), SwapError> {
        let others = self.fleet(service)?.others;
        let serving: Vec<String> =
            self.look(&others)?.into_iter().filter(|s| s.takes_new).map(|s| s.name).collect();
        let drained: Vec<_> = others.into_iter().filter(|c| !serving.contains(&c.name)).collect();
        self.remove(service, &drained)
    }

    /// The end of a swap in either direction: nothing of the other side is left. It stays in hand until it is on record.
    pub(super) fn retire_all(&mut self) -> Result<(), SwapError> {
        if self.intent.phase != Phase::Back {
            self.enter(Phase::Retire)?;
        }
        self.drain(usize::MAX)?;
        self.retire(&self.plan.project.api)?;
        self.retire(&self.plan.project.worker)?;
        let goal = self.posts(&self.api()?.goal, Duty::Serve)?;
        if !goal.is_empty() {
            self.assign(&goal)?;
        }
        Ok(())
    }

    fn remove(&self, service: &str, containers: &[Container]) -> Result<(), SwapError> {
        if containers.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = containers.iter().map(|c| c.name.clone()).collect();
        let msg = format!("stop and remove {}", names.join(", "));
        self.step("retire", &msg, json!({"service": service, "containers": names}), || {
            let running: Vec<_> = containers.iter().filter(|c| c.running()).cloned().collect();
            self.patiently(|| self.stop(&running))?;
            let ids: Vec<&str> = containers.iter().map(|c| c.id.as_str()).collect();
            self.patiently(|| Ok(self.plan.engine.remove_all(&ids)?))?;
            Ok(((), json!({"service": service, "containers": names})))
        })
    }

    /// SIGTERM, and SIGKILL after the service's own grace.
    pub(super) fn stop(&self, containers: &[Container]) -> Result<(), SwapError> {
        let ids: Vec<&str> = containers.iter().map(|c| c.id.as_str()).collect();
        Ok(self.plan.engine.stop_all(&ids)?)
    }
}
