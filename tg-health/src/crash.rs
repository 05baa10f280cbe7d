//! The last words of a container that ended while we waited for it.

use serde_json::{Value, json};
use tg_core::crash::Crash;
use tg_core::engine::Engine;
use tg_core::health::printable;
use tg_core::redact::Redactor;

use crate::error::Error;

/// How many of its last log lines a crashed container is quoted with.
const LAST_LINES: u32 = 20;
/// Characters of a log line that are repeated.
const LONGEST_LINE: usize = 500;

/// A container that fell over, and its last log lines.
#[derive(Clone, Debug)]
pub(crate) struct Crashed {
    pub(crate) crash: Crash,
    lines: Vec<String>,
}

impl Crashed {
    /// What ends the wait: with its last log lines, where they can be had; their absence must not hide the crash.
    pub(crate) fn last_words(crash: Crash, engine: &Engine, redactor: &Redactor) -> Error {
        let lines = engine.logs(&crash.id, LAST_LINES).unwrap_or_default();
        let lines = lines.iter().map(|line| printable(&redactor.clean(line), LONGEST_LINE)).collect();
        Error::Crashed { crash: Box::new(Crashed { crash, lines }), summary: json!({}) }
    }

    /// For a record and for people.
    pub(crate) fn sentence(&self) -> String {
        let lines = self.lines.iter().map(|line| format!("\n    {line}"));
        format!("{} {}{}", self.crash.container, self.crash.how, lines.collect::<String>())
    }

    /// For a record: the facts and the last log lines.
    pub(crate) fn data(&self) -> Value {
        let Crash { container, how, .. } = &self.crash;
        let mut data = json!({"code": "crashed", "target": container, "ready": false, "reason": how});
        if let (Some(map), Value::Object(facts)) = (data.as_object_mut(), self.crash.facts()) {
            map.extend(facts);
            map.insert("lines".into(), json!(self.lines));
        }
        data
    }
}
