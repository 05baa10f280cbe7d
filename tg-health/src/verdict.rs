//! The answer to one probe.

use serde_json::{Value, json};

use crate::failing::Failing;
use crate::target::Target;

/// Whether a target is ready, and if not, why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) ready: bool,
    /// Ready, but the body warns.
    pub(crate) warns: bool,
    /// Of the response.
    pub(crate) status: Option<u16>,
    /// The body's status word.
    pub(crate) says: Option<String>,
    pub(crate) version: Option<String>,
    /// From the start of the probe to the end of the body; `None` when nothing was asked.
    pub(crate) latency_ms: Option<f64>,
    /// Why it is not ready.
    pub(crate) reason: Option<String>,
    /// What a person could do.
    pub(crate) hint: Option<String>,
    pub(crate) failing: Vec<Failing>,
    /// The reason lies in the address or the trust, not in the target: asking once, that is no answer.
    pub(crate) environment: bool,
}

impl Verdict {
    /// Not ready.
    pub(crate) fn no(reason: impl Into<String>) -> Self {
        Verdict { reason: Some(reason.into()), ..Verdict::default() }
    }

    /// Whether a reader would learn nothing new from it. The latency differs each time.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        (self.ready, self.warns, self.status, &self.version, &self.reason, &self.failing)
            == (other.ready, other.warns, other.status, &other.version, &other.reason, &other.failing)
    }

    /// For a record.
    pub(crate) fn data(&self, target: &Target) -> Value {
        let mut data = json!({
            "target": target.name, "ready": self.ready, "status": self.status, "says": self.says,
            "version": self.version, "latency_ms": self.latency_ms,
        });
        let more = [
            ("url", target.place().map(|url| json!(url))),
            ("reason", self.reason.as_ref().map(|r| json!(r))),
            ("hint", self.hint.as_ref().map(|h| json!(h))),
            ("failing", (!self.failing.is_empty()).then(|| json!(self.failing))),
        ];
        if let Some(map) = data.as_object_mut() {
            map.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        data
    }

    /// For people.
    pub(crate) fn sentence(&self, target: &Target) -> String {
        let name = match target.place() {
            Some(place) => format!("{} at {place}", target.name),
            None => target.name.clone(),
        };
        let mut facts = Vec::new();
        if self.ready {
            facts.push(if self.warns { "ready, with a warning".to_owned() } else { "ready".to_owned() });
            facts.extend(self.version.as_ref().map(|v| format!("version {v}")));
            facts.extend(self.latency_ms.map(|ms| format!("{ms:.1} ms")));
        } else {
            facts.push(format!("not ready: {}", self.reason.as_deref().unwrap_or("no answer")));
            facts.extend(self.hint.clone());
        }
        format!("{name}: {}", facts.join(", "))
    }
}
