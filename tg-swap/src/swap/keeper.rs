//! The time for which old instances are kept, and who ends it.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde_json::json;
use tg_core::session::Session;

use crate::error::SwapError;
use crate::swap::{Intent, Phase, Swap};

impl Swap<'_> {
    /// The swap is done; its old instances wait, unless nobody wants them.
    pub(super) fn keep(&mut self) -> Result<(), SwapError> {
        let keep = self.intent.options.keep;
        if keep.is_zero() || self.api()?.others.is_empty() {
            return self.enter(Phase::Retire);
        }
        let until = std::time::SystemTime::now() + keep;
        let mut others = self.api()?.others;
        for service in &self.plan.project.worker {
            others.extend(self.fleet(service)?.others);
        }
        self.intent.resting = others.into_iter().map(|c| c.id).collect();
        self.intent.kept_until = Some(humantime::format_rfc3339_seconds(until).to_string());
        // From here on nothing is undone, not even where a full disk takes neither of the two lines.
        self.intent.phase = Phase::Kept;
        self.put_on_record()?;
        self.intent.write(&self.state)
    }
}

/// Starts `tg-swap commit` for later, in the background. Where that does not live until then — a
/// reboot, a service manager that ends what a job has left — `status` says that it is overdue and
/// the next swap does it first. Called when the lock is given back: a child would inherit it.
pub(crate) fn start(session: &Session, intent: &Intent) -> Result<(), SwapError> {
    let Some(left) = intent.kept_for() else { return Ok(()) };
    let program = std::env::current_exe().map_err(|e| tg_core::Error::file("/proc/self/exe", &e))?;
    let mut command = Command::new(program);
    command.arg("commit").args(["--after", &format!("{}s", left.as_secs().max(1))]);
    command.args(["--run-id", &intent.run]).args(session.shared.project_words());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // Whatever our caller had open, a lock or a pipe, is not ours to hold for minutes.
    close_fds::set_fds_cloexec(3, &[]);
    match command.spawn() {
        Ok(_) => Ok(()),
        Err(e) => {
            let msg = format!("nobody will stop the old instances by themselves: {e}");
            Ok(session.emit.warning("no-keeper", &msg, json!({"run": intent.run}))?)
        }
    }
}
