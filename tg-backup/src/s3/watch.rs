//! A way out of a call that waits for the network: Ctrl-C and deadlines don't wait for a silent server.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ureq::Agent;

/// Fails when we shall give up, and with what.
pub(crate) type Check<'a> = &'a (dyn Fn() -> Result<(), tg_core::Error> + Sync);

/// How often the check is asked.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// Does something that may wait for the network. When the check fails, the agent's connections are
/// closed, which ends every wait for them at once.
pub(super) fn watched<T>(agent: &Agent, check: Check, work: impl FnOnce() -> T) -> Result<T, tg_core::Error> {
    thread::scope(|scope| {
        let (working, ended) = mpsc::channel::<()>();
        let watcher = scope.spawn(move || watch(agent, check, &ended));
        let done = work();
        drop(working);
        watcher.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(done)
    })
}

fn watch(agent: &Agent, check: Check, ended: &Receiver<()>) -> Result<(), tg_core::Error> {
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
        if let Err(e) = check() {
            agent.clone().shutdown();
            return Err(e);
        }
    }
    Ok(())
}
