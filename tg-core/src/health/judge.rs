//! From a response to a verdict: 2xx, and a body that says well, and the expected version.

use super::body::{self, Said, Tone};
use super::expect::{Expect, Release};
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
    /// `Content-Encoding`; none was asked for.
    pub(crate) encoding: Option<String>,
    pub(crate) body: Vec<u8>,
    /// Whether a token was sent.
    pub(crate) with_token: bool,
}

/// Judges a response.
pub(crate) fn judge(response: &Response, expect: &Expect) -> Verdict {
    let (expected, must_tell) = match &expect.release {
        Release::Any => (None, false),
        Release::Exactly(version) => (Some(version.as_str()), true),
        Release::IfTold(version) => (Some(version.as_str()), false),
    };
    let said = body::read(&response.body);
    let version = version(&said, response.header_version.as_ref(), expected);
    let mut reason = answer_problem(response, &said, expect);
    let mut hint = answer_hint(response, &said, reason.is_some());
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
        warns: ready && said.tone == Tone::Warn,
        status: Some(response.status),
        says: said.word,
        version,
        reason,
        hint,
        failing: said.failing,
        ..Verdict::default()
    }
}

/// Why the status or the body does not mean ready.
fn answer_problem(response: &Response, said: &Said, expect: &Expect) -> Option<String> {
    let status = response.status;
    let word = said.word.as_ref().filter(|_| said.tone == Tone::Bad).map(|w| format!("its status is {w:?}"));
    let failing = said.failing.iter().map(ToString::to_string);
    let details = |first: String| {
        let all: Vec<_> = [first].into_iter().chain(word.clone()).chain(failing).collect();
        Some(all.join("; "))
    };
    let success = (200..=299).contains(&status);
    let expected = if expect.status.is_empty() { success } else { expect.status.contains(&status) };
    if !expected && (300..=399).contains(&status) {
        let place = response.location.as_deref().unwrap_or("nowhere");
        return Some(format!("it redirects with {status} to {place}, which is not followed"));
    }
    if !expected {
        let codes = expect.status.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        let wanted = if codes.is_empty() { String::new() } else { format!(", {codes} is expected") };
        return details(format!("it answers {status}{wanted}"));
    }
    match said.tone {
        // What says that it is not well is not, whatever else it says.
        Tone::Bad if success && !plain(said, expect) => {
            details(format!("it answers {status}, but is not well"))
        }
        _ if expect.asks_the_body() => expect.lacks(&response.body),
        Tone::Silent if success => Some(match &response.encoding {
            Some(encoding) => format!("its body is encoded ({encoding}), which was not asked for"),
            None => "its body does not say whether it is well".into(),
        }),
        _ => None,
    }
}

/// A word alone that nobody knows is no status where the body is matched anyway.
fn plain(said: &Said, expect: &Expect) -> bool {
    expect.asks_the_body() && said.word.as_deref().is_some_and(|word| !body::means_no(word))
}

fn answer_hint(response: &Response, said: &Said, not_ready: bool) -> Option<String> {
    match (response.status, said.tone) {
        _ if !not_ready => None,
        (401 | 403, _) if response.with_token => Some("is the token right?".into()),
        (401 | 403, _) => Some("it wants a token; see --token-file".into()),
        (200..=299, Tone::Silent) => Some("is this the URL of a health check?".into()),
        _ => None,
    }
}

/// The release: the expected one if any place of the body has it, else the first place. A header
/// may come from a proxy, so it counts only when the body says nothing.
fn version(said: &Said, header: Option<&String>, expected: Option<&str>) -> Option<String> {
    let versions = &said.versions;
    let expected_one = versions.iter().find(|v| expected.is_some_and(|e| same_version(v, e)));
    let found = expected_one.or(versions.first()).or(header);
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
    use super::super::expect::Place;
    use super::*;

    fn verdict(status: u16, body: &str, header: Option<&str>, expected: Option<&str>) -> Verdict {
        let release = expected.map_or(Release::Any, |version| Release::Exactly(version.to_owned()));
        judge(&response(status, body, header), &Expect::release(release))
    }

    fn response(status: u16, body: &str, header: Option<&str>) -> Response {
        Response {
            status,
            location: None,
            header_version: header.map(str::to_owned),
            encoding: None,
            body: body.into(),
            with_token: false,
        }
    }

    #[test]
    fn what_is_expected_by_name_takes_the_place_of_a_status_word_and_not_of_a_bad_one() {
        let json = |place: &str| Expect { json: vec![Place::parse(place).unwrap()], ..Expect::default() };
        assert!(judge(&response(200, r#"{"db":"up"}"#, None), &json("/db=up")).ready);
        assert!(!judge(&response(200, r#"{"db":"up","status":"error"}"#, None), &json("/db=up")).ready);
        let codes = Expect { status: vec![401, 204], ..Expect::default() };
        assert!(judge(&response(401, "who are you?", None), &codes).ready);
        let refused = judge(&response(200, r#"{"status":"ok"}"#, None), &codes);
        assert_eq!(refused.reason.unwrap(), "it answers 200, 401 or 204 is expected");
        let page = Expect { body: Some(regex_lite::Regex::new("Welcome").unwrap()), ..Expect::default() };
        assert!(judge(&response(200, "Welcome", None), &page).ready);
        assert!(!judge(&response(200, "error", None), &page).ready);
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
            let expect = Expect::release(Release::IfTold("1.5.0".into()));
            judge(&response(200, body, None), &expect).ready
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
