//! The answer to one probe.

use super::failing::Failing;

/// Whether a target is ready, and if not, why.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Ready to serve.
    pub ready: bool,
    /// Ready, but the body warns.
    pub warns: bool,
    /// Of the response.
    pub status: Option<u16>,
    /// The body's status word.
    pub says: Option<String>,
    /// The release that answered, where it says so.
    pub version: Option<String>,
    /// From the start of the probe to the end of the body; `None` when nothing was asked.
    pub latency_ms: Option<f64>,
    /// Why it is not ready.
    pub reason: Option<String>,
    /// What a person could do.
    pub hint: Option<String>,
    /// Dependencies that are not well, by their names in the body.
    pub failing: Vec<Failing>,
    /// The reason lies in the address or the trust, not in the target: asking once, that is no answer.
    pub environment: bool,
}

impl Verdict {
    /// Not ready.
    #[must_use]
    pub fn no(reason: impl Into<String>) -> Self {
        Verdict { reason: Some(reason.into()), ..Verdict::default() }
    }

    /// Whether a reader would learn nothing new from it. The latency differs each time.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        (self.ready, self.warns, self.status, &self.version, &self.reason, &self.failing)
            == (other.ready, other.warns, other.status, &other.version, &other.reason, &other.failing)
    }
}
