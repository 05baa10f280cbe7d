//! From a response to a verdict: 2xx, and a body that says well, and the expected version.

use super::body::{Said, Tone};
use super::printable::printable;
use super::verdict::Verdict;

/// Characters of a version that are repeated.
const LONGEST_VERSION: usize = 80;

/// What came back.
pub(crate) struct Response {
    pub(crate) status: u16,
    /// `Location` of a redirect.
    pub(crate) location: Option<String>,
    /// `X-Version`, for bodies that keep their release to themselves.
    pub(crate) header_version: Option<String>,
    pub(crate) said: Said,
    /// Whether a token was sent.
    pub(crate) with_token: bool,
}

/// Which release must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Any.
    Any,
    /// This one, and it must say so.
    Version(String),
    /// This one, unless it does not say which it is.
    IfTold(String),
}

/// Judges a response.
pub(crate) fn judge(response: Response, expect: &Expect) -> Verdict {
    let (expected, must_tell) = match expect {
        Expect::Any => (None, false),
        Expect::Version(version) => (Some(version.as_str()), true),
        Expect::IfTold(version) => (Some(version.as_str()), false),
    };
    let version = version(&response, expected);
    let mut reason = answer_problem(&response);
    let mut hint = answer_hint(&response, reason.is_some());
    if let (None, Some(expected)) = (&reason, expected) {
        reason = match &version {
            Some(version) if same_version(version, expected) => None,
            Some(version) => Some(format!("version {version} answers, {expected} is expected")),
            None if !must_tell => None,
            None => {
                hint = (!response.with_token)
                    .then(|| "it may tell its version only to who has a token; see --token-file".into());
                Some(format!("it does not say its version, {expected} is expected"))
            }
        };
    }
    let ready = reason.is_none();
    Verdict {
        ready,
        warns: ready && response.said.tone == Tone::Warn,
        status: Some(response.status),
        says: response.said.word,
        version,
        reason,
        hint,
        failing: response.said.failing,
        ..Verdict::default()
    }
}

/// Why the status or the body does not mean ready.
fn answer_problem(response: &Response) -> Option<String> {
    let status = response.status;
    let said = &response.said;
    let word = said.word.as_ref().filter(|_| said.tone == Tone::Bad).map(|w| format!("its status is {w:?}"));
    let failing = said.failing.iter().map(ToString::to_string);
    let details = |first: String| {
        let all: Vec<_> = [first].into_iter().chain(word.clone()).chain(failing).collect();
        Some(all.join("; "))
    };
    match (status, said.tone) {
        (200..=299, Tone::Well | Tone::Warn) => None,
        (200..=299, Tone::Bad) => details(format!("it answers {status}, but is not well")),
        (200..=299, Tone::Silent) => Some("its body does not say whether it is well".into()),
        (300..=399, _) => {
            let place = response.location.as_deref().unwrap_or("nowhere");
            Some(format!("it redirects with {status} to {place}, which is not followed"))
        }
        _ => details(format!("it answers {status}")),
    }
}

fn answer_hint(response: &Response, not_ready: bool) -> Option<String> {
    match (response.status, response.said.tone) {
        _ if !not_ready => None,
        (401 | 403, _) if response.with_token => Some("is the token right?".into()),
        (401 | 403, _) => Some("it wants a token; see --token-file".into()),
        (200..=299, Tone::Silent) => Some("is this the URL of a health check?".into()),
        _ => None,
    }
}

/// The release: the expected one if any place of the body has it, else the first place. A header
/// may come from a proxy, so it counts only when the body says nothing.
fn version(response: &Response, expected: Option<&str>) -> Option<String> {
    let versions = &response.said.versions;
    let expected_one = versions.iter().find(|v| expected.is_some_and(|e| same_version(v, e)));
    let found = expected_one.or(versions.first()).or(response.header_version.as_ref());
    found.map(|v| printable(v, LONGEST_VERSION))
}

/// Exactly the same, but for a `v` in front of the number.
fn same_version(one: &str, other: &str) -> bool {
    bare(one) == bare(other)
}

fn bare(version: &str) -> &str {
    let version = version.trim();
    version
        .strip_prefix(['v', 'V'])
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::super::body;
    use super::*;

    fn verdict(status: u16, body: &str, header: Option<&str>, expected: Option<&str>) -> Verdict {
        let response = Response {
            status,
            location: None,
            header_version: header.map(str::to_owned),
            said: body::read(body.as_bytes()),
            with_token: false,
        };
        let expect = expected.map_or(Expect::Any, |version| Expect::Version(version.to_owned()));
        judge(response, &expect)
    }

    #[test]
    fn ready_needs_a_2xx_and_a_body_that_says_well() {
        assert!(verdict(200, r#"{"status":"ok"}"#, None, None).ready);
        assert!(verdict(204, "", None, None).ready);
        for (status, body) in
            [(200, r#"{"status":"error"}"#), (200, "{}"), (503, r#"{"status":"ok"}"#), (301, "")]
        {
            assert!(!verdict(status, body, None, None).ready, "{status} {body}");
        }
        assert!(verdict(200, r#"{"status":"warn"}"#, None, None).warns);
    }

    #[test]
    fn a_v_in_front_of_the_version_makes_no_difference_and_anything_else_does() {
        let body = r#"{"status":"ok","version":"v1.5.0"}"#;
        assert!(verdict(200, body, None, Some("1.5.0")).ready);
        for other in ["1.5", "1.5.0-rc.1", "1.5.00", "11.5.0"] {
            assert!(!verdict(200, body, None, Some(other)).ready, "{other}");
        }
    }

    #[test]
    fn the_release_of_the_rfc_draft_is_its_release_id() {
        let body = r#"{"status":"pass","version":"1","releaseId":"1.5.0"}"#;
        let verdict = verdict(200, body, None, Some("1.5.0"));
        assert!(verdict.ready);
        assert_eq!(verdict.version.as_deref(), Some("1.5.0"));
    }

    #[test]
    fn a_header_tells_the_version_only_where_the_body_does_not() {
        assert!(verdict(200, r#"{"status":"ok"}"#, Some("1.5.0"), Some("1.5.0")).ready);
        assert!(!verdict(200, r#"{"status":"ok","version":"1.4.0"}"#, Some("1.5.0"), Some("1.5.0")).ready);
    }

    #[test]
    fn a_version_that_is_not_told_is_not_the_expected_one() {
        let verdict = verdict(200, r#"{"status":"ok"}"#, None, Some("1.5.0"));
        assert!(!verdict.ready);
        assert!(verdict.hint.unwrap().contains("--token-file"));
    }

    #[test]
    fn a_version_that_need_not_be_told_may_still_not_be_another() {
        let judged = |body: &str| {
            let said = body::read(body.as_bytes());
            let response =
                Response { status: 200, location: None, header_version: None, said, with_token: false };
            judge(response, &Expect::IfTold("1.5.0".into())).ready
        };
        assert!(judged(r#"{"status":"ok"}"#) && judged(r#"{"status":"ok","version":"1.5.0"}"#));
        assert!(!judged(r#"{"status":"ok","version":"1.4.0"}"#));
    }

    #[test]
    fn the_reason_names_the_failing_dependency() {
        let body = r#"{"status":"error","checks":{"database":{"status":"down","error":"refused"}}}"#;
        assert_eq!(
            verdict(503, body, None, None).reason.unwrap(),
            "it answers 503; its status is \"error\"; database is down (refused)"
        );
    }
}
