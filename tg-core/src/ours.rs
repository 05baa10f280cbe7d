//! Containers and volumes of our own making, and how they are found again when their maker was killed.

use std::collections::HashMap;

use crate::container::RUN_LABEL;
use crate::engine::Engine;
use crate::lock::Lock;
use crate::state::State;
use crate::{Error, Session};

const TOOL_LABEL: &str = "tg.tool";
/// The lock belongs to a state directory, and so does the right to remove what another run left.
const STATE_LABEL: &str = "tg.state";

/// Who makes something in the engine: a part of a tool, in one project.
#[derive(Clone, Copy)]
pub struct Maker<'a> {
    /// Of this run.
    pub session: &'a Session,
    /// Of the project.
    pub state: &'a State,
    /// The tool, or a part of it that has a lock of its own.
    pub name: &'a str,
}

impl Maker<'_> {
    /// The labels of what it makes in this project, in any run.
    #[must_use]
    pub fn labels(&self) -> HashMap<String, String> {
        HashMap::from([
            (TOOL_LABEL.to_owned(), self.name.to_owned()),
            (STATE_LABEL.to_owned(), self.state.root().display().to_string()),
        ])
    }

    /// The same, with the run.
    #[must_use]
    pub fn labels_of_run(&self) -> HashMap<String, String> {
        let mut all = self.labels();
        all.insert(RUN_LABEL.to_owned(), self.session.run.clone());
        all
    }

    /// The labels as the engine is asked for them.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        self.labels().iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Removes the containers that killed runs of it left, and tells their names; only the holder of its lock may.
    pub fn sweep(&self, engine: &Engine) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for left in engine.labelled(&self.filters())? {
            self.session.emit.explain(&format!("removing container {} of a killed run", left.name));
            engine.remove_own(&left.id)?;
            names.push(left.name);
        }
        Ok(names)
    }
}

/// The lock of a maker, and the sweeping that goes with it: first, and again at the end, since the engine makes what it
/// was asked for even if its asker has been killed meanwhile, and shows it only then.
pub struct Turn<'a> {
    sweep: Box<dyn Fn() + Send + 'a>,
    _lock: Lock,
}

impl<'a> Turn<'a> {
    /// Sweeps. At the end, what can't be removed is left to the next turn.
    pub fn begin<E>(lock: Lock, sweep: impl Fn() -> Result<(), E> + Send + 'a) -> Result<Self, E> {
        sweep()?;
        Ok(Turn { sweep: Box::new(move || drop(sweep())), _lock: lock })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        (self.sweep)();
    }
}
