//! The operator's own warm-up: a command inside each new instance, before it gets its first request.

use serde_json::json;
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
                let (code, said) =
                    self.patiently(|| Ok(self.plan.engine.exec(&container.id, &["sh", "-c", &command])?))?;
                if code != 0 {
                    let reason = format!("its warm-up ended with exit code {code}: {}", tail(&said));
                    return Err(self.not_ready(container, reason));
                }
            }
            Ok(((), json!({"containers": names})))
        })
    }
}
