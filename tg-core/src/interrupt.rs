//! SIGINT, SIGTERM and SIGHUP as a question asked between steps: a step is finished or undone, never cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::Error;

/// Whether the user wants us to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    int: Arc<AtomicBool>,
    term: Arc<AtomicBool>,
}

impl Interrupt {
    /// Starts to listen; a terminal that goes away is as SIGTERM, unless the caller ignores it (nohup). A signal that
    /// can't be hooked keeps its default, which is to end at once.
    #[must_use]
    pub fn listen() -> Self {
        let interrupt = Interrupt::default();
        let _ = signal_hook::flag::register(SIGINT, Arc::clone(&interrupt.int));
        let _ = signal_hook::flag::register(SIGTERM, Arc::clone(&interrupt.term));
        if !ignored(SIGHUP) {
            let _ = signal_hook::flag::register(SIGHUP, Arc::clone(&interrupt.term));
        }
        interrupt
    }

    /// Fails when a signal has come.
    pub fn check(&self) -> Result<(), Error> {
        if self.int.load(Ordering::Relaxed) {
            Err(Error::Interrupted)
        } else if self.term.load(Ordering::Relaxed) {
            Err(Error::Terminated)
        } else {
            Ok(())
        }
    }

    /// One that SIGTERM has come to.
    #[cfg(test)]
    pub(crate) fn raised() -> Self {
        let interrupt = Interrupt::default();
        interrupt.raise();
        interrupt
    }

    /// As SIGTERM does.
    #[cfg(test)]
    pub(crate) fn raise(&self) {
        self.term.store(true, Ordering::Relaxed);
    }
}

/// Whether we were started with a signal ignored: `SigIgn` of proc_pid_status(5).
fn ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
