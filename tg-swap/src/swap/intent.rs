//! The swap in hand: what it goes from and to, and how far it is. One small file, replaced whole at
//! each phase; all else is asked of Docker and the balancer, so a killed swap can go on or back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tg_core::container::Container;
use tg_core::state::State;
use tg_core::{Error, Truth, atomic_file};

use crate::error::SwapError;
use crate::swap::options::Options;
use tg_core::balancer::Counters;

/// A swap that is not over: in the middle, or done with its old instances kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// The run that began it.
    pub run: String,
    /// RFC 3339.
    pub since: String,
    /// The run whose change it takes back, where that is what it is for.
    #[serde(default)]
    pub undoes: Option<String>,
    pub from: Release,
    pub to: Release,
    pub phase: Phase,
    pub options: Options,
    /// When the old instances are stopped, RFC 3339.
    pub kept_until: Option<String>,
    /// Containers that are kept and serve nobody; other tools leave them alone.
    #[serde(default)]
    pub resting: Vec<String>,
    /// What the balancer had counted when the swap began.
    pub counted: Option<Counters>,
    /// Connections that were cut because they did not end in time.
    #[serde(default)]
    pub cut: u64,
    /// Why it is not known whether more were cut than that.
    #[serde(default)]
    pub not_measured: Option<String>,
}

/// How far a swap is. What was done within a phase is seen from Docker and the balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// The old set serves; the new one is made, checked and let in.
    Forward,
    /// The files name the new release; the old set drains, then come the workers.
    CutOver,
    /// The new set serves; the old one is drained and waits for `commit` or `rollback`.
    Kept,
    /// The old set is stopped and removed.
    Retire,
    /// The way back.
    Back,
}

/// One side of a swap.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Release {
    /// As people call it.
    pub version: String,
    pub services: BTreeMap<String, Side>,
}

/// A service on one side.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Side {
    /// Tag as the project's files have it, or shall have it.
    pub tag: String,
    pub image_id: String,
    /// Compose's hash of the service's configuration, for containers that are made later.
    pub hash: String,
    /// Containers.
    pub replicas: usize,
    /// Containers that were there when the swap began.
    pub containers: Vec<String>,
}

impl Release {
    /// Whether a container is of this side; `other` is the other side.
    pub(crate) fn has(&self, container: &Container, other: &Release) -> bool {
        let of = |release: &Release| release.services.get(&container.service).cloned().unwrap_or_default();
        let (this, that) = (of(self), of(other));
        let named = |side: &Side| side.containers.contains(&container.id);
        named(&this)
            || !named(&that) && container.image_id == this.image_id && container.config_hash == this.hash
    }

    pub(crate) fn replicas(&self, service: &str) -> usize {
        self.services.get(service).map_or(0, |side| side.replicas)
    }
}

impl Intent {
    /// The swap in hand, if there is one.
    pub(crate) fn read(state: &State) -> Result<Option<Self>, SwapError> {
        let path = state.swap();
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|e| {
                SwapError::Core(Error::File { path, problem: format!("not a swap of tg-swap: {e}") })
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::file(path, &e).into()),
        }
    }

    /// Remembers it across a power cut.
    pub(crate) fn write(&self, state: &State) -> Result<(), SwapError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        Ok(atomic_file::write(&state.swap(), text.as_bytes())?)
    }

    /// Forgets it: the swap is over.
    pub(crate) fn remove(state: &State) -> Result<(), SwapError> {
        let path = state.swap();
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(atomic_file::sync_dir(state.root())?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::file(path, &e).into()),
        }
    }

    /// Connections that were cut; `None` where that is not known.
    pub(crate) fn cut(&self) -> Option<u64> {
        self.not_measured.is_none().then_some(self.cut)
    }

    /// Whether nothing was in flight on the instances that were let go.
    pub(crate) fn drained(&self) -> Truth {
        self.not_measured.as_ref().map_or(Truth::from(self.cut == 0), Truth::unknown)
    }

    /// The run that it takes back, where it is on the way back itself.
    pub(crate) fn takes_back(&self) -> Option<&str> {
        match (self.phase, &self.undoes) {
            (Phase::Back, None) => Some(&self.run),
            // One that failed goes forward to what it was to undo.
            (Phase::Back, Some(_)) => None,
            (_, undoes) => undoes.as_deref(),
        }
    }

    /// What is left of the time for which the old instances are kept.
    pub(crate) fn kept_for(&self) -> Option<Duration> {
        let until = humantime::parse_rfc3339_weak(self.kept_until.as_deref()?).ok()?;
        Some(until.duration_since(std::time::SystemTime::now()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(image: &str, containers: &[&str]) -> Release {
        let containers = containers.iter().map(ToString::to_string).collect();
        let side = Side { image_id: image.into(), hash: "h".into(), containers, ..Side::default() };
        Release { version: image.into(), services: BTreeMap::from([("api".into(), side)]) }
    }

    fn container(id: &str, image: &str) -> Container {
        let (id, image_id) = (id.to_owned(), image.to_owned());
        Container { id, image_id, service: "api".into(), config_hash: "h".into(), ..Container::default() }
    }

    #[test]
    fn a_swap_whose_drain_nobody_could_measure_does_not_say_that_nothing_was_cut() {
        let written = serde_json::json!({
            "run": "r", "since": "s", "from": side("old", &[]), "to": side("new", &[]), "phase": "kept",
            "options": {"keep": {"secs": 1, "nanos": 0}, "pace": {"strategy": "all", "boot": null, "rise": 3,
                "ready_timeout": {"secs": 120, "nanos": 0}, "drain_timeout": {"secs": 30, "nanos": 0}, "on_drain_timeout": "abort"},
                "canary": null, "canary_for": {"secs": 0, "nanos": 0}, "judge": null},
            "kept_until": null, "counted": null,
        });
        // As an older tg-swap wrote it.
        let mut intent: Intent = serde_json::from_value(written).unwrap();
        assert_eq!((intent.cut(), intent.drained()), (Some(0), Truth::Yes));
        assert_eq!(intent.options.pace.ready_timeout(), Duration::from_mins(2));
        intent.cut = 2;
        assert_eq!((intent.cut(), intent.drained()), (Some(2), Truth::No));
        intent.not_measured = Some("dark".into());
        assert_eq!((intent.cut(), intent.drained()), (None, Truth::unknown("dark")));
    }

    #[test]
    fn a_container_is_of_the_side_that_named_it_and_else_of_the_side_whose_image_it_runs() {
        let (from, to) = (side("old", &["a"]), side("new", &[]));
        assert!(from.has(&container("a", "old"), &to) && !to.has(&container("a", "old"), &from));
        assert!(to.has(&container("b", "new"), &from) && !from.has(&container("b", "new"), &to));
        // The same image with the same configuration on both sides: whoever was there is the old one.
        let again = side("old", &[]);
        assert!(!again.has(&container("a", "old"), &from) && again.has(&container("c", "old"), &from));
    }
}
