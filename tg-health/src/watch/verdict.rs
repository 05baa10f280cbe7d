//! What a watch comes to: as well as before, worse, or not to be told.

use serde_json::{Value, json};
use tg_core::Answer;

use super::finding::{Finding, Gap, Row};
use crate::error::Error;

/// What was found, and what could not be seen.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) found: Vec<Finding>,
    pub(super) gaps: Vec<Gap>,
}

impl Verdict {
    pub(super) fn is_fatal(&self) -> bool {
        self.found.iter().any(|finding| finding.fatal)
    }

    /// What was seen to be bad is bad, whatever else was not seen.
    pub(super) fn word(&self) -> &'static str {
        match (self.is_fatal(), self.gaps.is_empty()) {
            (true, _) => "fail",
            (false, true) => "pass",
            (false, false) => "inconclusive",
        }
    }

    /// With its exit code.
    pub(super) fn answer(self, seconds: u64) -> Result<Answer, Error> {
        let gaps: Vec<Value> =
            self.gaps.iter().map(|gap| json!({"code": gap.code, "msg": gap.msg})).collect();
        let found: Vec<Value> = self.found.iter().map(Finding::data).collect();
        let data = json!({"verdict": self.word(), "seconds": seconds, "findings": found, "gaps": gaps});
        if let Some(worst) = self.found.iter().find(|finding| finding.fatal) {
            return Ok(Answer::no(format!("it is not well after {seconds} s: {}", worst.msg), data));
        }
        if let Some(gap) = self.gaps.first() {
            return Err(Error::Inconclusive { why: gap.msg.clone(), summary: data });
        }
        let noted = match self.found.len() {
            0 => String::new(),
            n => format!("; {n} things to know"),
        };
        Ok(Answer::yes(format!("all was well for {seconds} s{noted}"), data))
    }
}

/// For people.
pub(super) fn sentence(row: &Row) -> String {
    let said = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), short);
    format!("{} of {}: {}, before {}", row.what, row.of, said(row.now), said(row.before))
}

/// For a record.
pub(super) fn data(row: &Row) -> Value {
    let ratio = match (row.before, row.now) {
        (Some(before), Some(now)) if before > 0.0 => Some((now / before * 1000.0).round() / 1000.0),
        _ => None,
    };
    json!({"code": "compared", "what": row.what, "of": row.of, "before": row.before, "now": row.now, "ratio": ratio})
}

/// Four digits are more than anybody reads.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
