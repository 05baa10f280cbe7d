//! The dependencies that a health body names as failing.

use serde::Serialize;
use serde_json::{Map, Value};

use super::body::{Tone, means_no, tone};
use super::printable::printable;

/// Where the vocabularies keep their dependencies: the RFC draft, @nestjs/terminus and Spring.
const PLACES: [&str; 5] = ["checks", "error", "details", "info", "components"];
/// Where a dependency says why.
const REASONS: [&str; 4] = ["output", "message", "error", "reason"];
/// More than these are not listed; a body may name thousands.
const MOST: usize = 20;
/// Characters of a name or reason.
const LONGEST: usize = 200;

/// A dependency that is not up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failing {
    pub(crate) name: String,
    pub(crate) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

impl std::fmt::Display for Failing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {}", self.name, self.status)?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// Every dependency whose own status does not mean well, once each.
pub(crate) fn failing(body: &Map<String, Value>) -> Vec<Failing> {
    let mut found: Vec<Failing> = Vec::new();
    for (name, check) in PLACES.iter().filter_map(|place| body.get(*place)?.as_object()).flatten() {
        // The RFC draft has a list of measurements under each name.
        let measured = check.as_array().map_or(std::slice::from_ref(check), Vec::as_slice);
        for failure in measured.iter().filter_map(|one| judge(name, one)) {
            if found.len() < MOST && !found.iter().any(|known| known.name == failure.name) {
                found.push(failure);
            }
        }
    }
    found
}

fn judge(name: &str, check: &Value) -> Option<Failing> {
    // A bare word may be anything, such as a version: only one that is known to mean no counts.
    let status = check["status"].as_str().or_else(|| check.as_str().filter(|word| means_no(word)))?;
    if matches!(tone(status), Tone::Well | Tone::Warn) {
        return None;
    }
    let reason = REASONS.iter().find_map(|key| check[*key].as_str());
    Some(Failing {
        name: printable(name, LONGEST),
        status: printable(status, LONGEST),
        reason: reason.map(|text| printable(text, LONGEST)).filter(|text| !text.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(body: &Value) -> Vec<String> {
        failing(body.as_object().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_terminus_body_names_each_failing_dependency_once() {
        let down = json!({"db": {"status": "down", "message": "timeout"}});
        let body =
            json!({"status": "error", "info": {"disk": {"status": "up"}}, "error": down, "details": down});
        assert_eq!(names(&body), ["db is down (timeout)"]);
    }

    #[test]
    fn the_measurements_of_the_rfc_draft_are_looked_through() {
        let body = json!({"checks": {"db:time": [{"status": "pass"}, {"status": "fail", "output": "slow"}]}});
        assert_eq!(names(&body), ["db:time is fail (slow)"]);
    }

    #[test]
    fn what_has_no_status_is_not_called_failing() {
        let info = json!({"version": "1.5.0", "cache": "down"});
        let body = json!({"error": "boom", "info": info, "checks": [1], "details": {"a": {"b": 1}}});
        assert_eq!(names(&body), ["cache is down"]);
    }
}
