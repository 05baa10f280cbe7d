//! The operator's own warm-up: a command inside each new instance, before it gets its first request.

use serde_json::json;
use tg_core::container::Container;
use tg_core::process::tail;

use crate::error::SwapError;
use crate::swap::{Phase, Swap};

/// The setting.
const KEY: &str = "warm_up";

impl Swap<'_> {
    /// One instance after another: those that serve need the processors too. The way back is not held up.
    pub(super) fn warm_up(&self, service: &str) -> Result<(), SwapError> {
        let Some(command) = self.plan.project.settings().string(None, KEY)? else { return Ok(()) };
        let mut cold = self.fleet(service)?.goal;
        let seen = self.look(&cold)?;
        cold.retain(|c| c.running() && !seen.iter().any(|s| s.name == c.name && s.takes_new));
        if cold.is_empty() || self.intent.phase == Phase::Back {
            return Ok(());
        }
        let names: Vec<_> = cold.iter().map(|c| c.name.clone()).collect();
        let intent = json!({"service": service, "containers": names, "command": command});
        self.step("warm-up", &format!("warm {} up", names.join(", ")), intent, || {
            for container in &cold {
                self.check("warming up")?;
                let reason = match self.run_inside(container, &command)? {
                    Some((0, _)) => continue,
                    Some((code, said)) => format!("its warm-up ended with exit code {code}: {}", tail(&said)),
                    None => {
                        self.check("warming up")?;
                        let limit = self.intent.options.pace.ready_timeout();
                        format!("its warm-up did not end within {}", humantime::format_duration(limit))
                    }
                };
                return Err(self.not_ready(container, reason));
            }
            Ok(((), json!({"containers": names})))
        })
    }

    /// `None` where it took longer than getting ready may, or somebody interrupts.
    fn run_inside(&self, container: &Container, command: &str) -> Result<Option<(i64, String)>, SwapError> {
        let limit = self.intent.options.pace.ready_timeout();
        let given_up = || self.check("warming up").is_err();
        self.patiently(|| {
            let (engine, command) = (&self.plan.engine, ["sh", "-c", command]);
            Ok(engine.exec_within(&container.id, &command, limit, given_up)?)
        })
    }
}
