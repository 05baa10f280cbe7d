//! Workers: new ones up, then the old ones are asked to finish. Both may work side by side.

use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::Container;
use tg_core::crash::Watch;

use crate::error::SwapError;
use crate::swap::{Phase, Swap};

/// A worker that has run for so long without crashing counts as up; it has nobody to answer to.
pub(crate) const SETTLED: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

impl Swap<'_> {
    pub(super) fn turn_workers(&mut self) -> Result<(), SwapError> {
        for service in &self.plan.project.worker {
            let fresh = self.fleet(service)?.goal.iter().any(|c| !c.running());
            let replicas = self.goal().replicas(service);
            let missing = self.fleet(service)?.goal.len() < replicas;
            self.create(service, replicas)?;
            self.start(service, usize::MAX)?;
            // On the way back they are the very containers that worked before.
            if missing || fresh && self.intent.phase != Phase::Back {
                self.settle(service)?;
            }
            self.finish(service)?;
        }
        Ok(())
    }

    fn settle(&self, service: &str) -> Result<(), SwapError> {
        let goal = self.fleet(service)?.goal;
        let names: Vec<_> = goal.iter().map(|c| c.name.clone()).collect();
        let msg = format!("see {} stay up", names.join(", "));
        self.step("settle", &msg, json!({"service": service, "containers": names}), || {
            let (begun, mut watch) = (Instant::now(), Watch::over(&goal, Instant::now()));
            loop {
                self.fail_if_crashed(&mut watch, &goal)?;
                let now = self.fleet(service)?.goal;
                // An unhealthy one may get well: it is judged when its time is over.
                let well = |c: &Container| {
                    c.running() && !matches!(c.health.as_deref(), Some("starting" | "unhealthy"))
                };
                if watch.steady(SETTLED, Instant::now()) && now.iter().all(well) {
                    return Ok(((), json!({"service": service, "containers": names})));
                }
                if begun.elapsed() > self.intent.options.pace.ready_timeout() {
                    return Err(self.not_ready(&goal[0], "its health check has not passed in time".into()));
                }
                self.check("waiting for the new workers")?;
                std::thread::sleep(LOOK);
            }
        })
    }

    /// SIGTERM and the service's own grace. Kept ones stay as stopped containers: a rollback starts them.
    fn finish(&self, service: &str) -> Result<(), SwapError> {
        let others = self.fleet(service)?.others;
        let running: Vec<_> = others.into_iter().filter(Container::running).collect();
        if running.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = running.iter().map(|c| c.name.clone()).collect();

        let msg = format!("ask {} to finish", names.join(", "));
        self.step("finish-workers", &msg, json!({"service": service, "containers": names}), || {
            self.patiently(|| self.stop(&running))?;
            Ok(((), json!({"service": service, "containers": names})))
        })
    }
}
