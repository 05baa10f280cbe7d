//! SIGINT and SIGTERM as a question asked between steps: a step is finished or undone, never cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::Error;

/// Whether the user wants us to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    int: Arc<AtomicBool>,
    term: Arc<AtomicBool>,
}

impl Interrupt {
    /// Starts to listen. A signal that can't be hooked keeps its default, which is to end at once.
    #[must_use]
    pub fn listen() -> Self {
        let interrupt = Interrupt::default();
        let _ = signal_hook::flag::register(SIGINT, Arc::clone(&interrupt.int));
        let _ = signal_hook::flag::register(SIGTERM, Arc::clone(&interrupt.term));
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
}
