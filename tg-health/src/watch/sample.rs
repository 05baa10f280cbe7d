//! One second of a watch: everything that was seen in it, in the form that a recording keeps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::log::Level;

/// What was seen in one second. What could not be looked at is absent, which is not the same as nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sample {
    /// When it ended, ms since the watch began.
    pub(crate) at_ms: u64,
    /// Only answers that were still to come when the time was over: no second of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rest: bool,
    /// Our own requests, by target.
    pub(crate) probes: BTreeMap<String, Probes>,
    /// What the balancer counted, our own requests among it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traffic: Option<Traffic>,
    /// The containers of each service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) containers: Option<BTreeMap<String, Vec<Instance>>>,
    /// Lines of level warn and worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logs: Option<Vec<Heard>>,
    /// What each rule's metric came to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// Answers to our own requests that ended in this second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Probes {
    /// µs from the moment in which the request was due to the end of its answer, of those that were answered well.
    pub(crate) well_us: Vec<u32>,
    /// The others, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) failed: BTreeMap<String, u32>,
    /// Requests that were due and could not be sent: the watch itself was too slow.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) missed: u32,
}

/// The balancer's counters, as they grew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Traffic {
    pub(crate) requests: u64,
    /// Answers 500 to 599, connections that could not be made, answers that were cut or malformed.
    pub(crate) failed: u64,
    /// Mean time of the last answers, ms; 0 where it does not say.
    pub(crate) mean_ms: u64,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Instance {
    /// The beginning of Docker's identifier.
    pub(crate) id: String,
    pub(crate) running: bool,
    /// By its restart policy, since it was made.
    pub(crate) restarts: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) oom_killed: bool,
    /// Bytes, without what the kernel would give back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<u64>,
}

/// Lines of one signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    pub(crate) service: String,
    pub(crate) level: Level,
    pub(crate) signature: String,
    pub(crate) lines: u64,
    /// One of them.
    #[serde(default)]
    pub(crate) example: String,
}

/// Until everything is looked at, ms.
const BEGINNING_MS: u64 = 5000;

impl Sample {
    /// Whether what it lacks was not seen, or only not looked at yet or any more.
    pub(crate) fn must_tell(&self, told_before: bool) -> bool {
        !self.rest && (told_before || self.at_ms > BEGINNING_MS)
    }
}

impl Probes {
    pub(crate) fn failures(&self) -> u64 {
        self.failed.values().map(|n| u64::from(*n)).sum()
    }

    /// Those that were answered, well or not.
    pub(crate) fn sent(&self) -> u64 {
        self.well_us.len() as u64 + self.failures()
    }
}

impl Heard {
    /// Whether both are of one signature.
    pub(crate) fn is_like(&self, other: &Heard) -> bool {
        (&self.service, self.level, &self.signature) == (&other.service, other.level, &other.signature)
    }

    /// Adds lines to those of the same signature.
    pub(crate) fn gather(all: &mut Vec<Heard>, more: Heard) {
        match all.iter_mut().find(|heard| heard.is_like(&more)) {
            Some(heard) => heard.lines += more.lines,
            None => all.push(more),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}
