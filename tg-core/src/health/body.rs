//! What a health body says, in the vocabularies that are about: the draft
//! draft-inadarei-api-health-check, @nestjs/terminus, Spring, lightship, and plain words.

use serde_json::{Map, Value};

use super::failing::{Failing, failing};
use super::printable::printable;

/// Characters of a status word that are repeated.
const LONGEST_WORD: usize = 60;
/// Where the release stands. The draft's `version` is the interface's and its `releaseId` the release's.
const VERSIONS: [&str; 4] = ["/version", "/releaseId", "/release", "/info/version"];

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It is well.
    Well,
    /// It is well, and somebody should look.
    Warn,
    /// It is not well, or says a word that nobody knows to mean well.
    Bad,
    /// It does not say.
    Silent,
}

/// What a body says.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) tone: Tone,
    /// The status word itself.
    pub(crate) word: Option<String>,
    /// Every place that could be the release.
    pub(crate) versions: Vec<String>,
    pub(crate) failing: Vec<Failing>,
}

/// What a status word means, whatever its case.
pub(crate) fn tone(word: &str) -> Tone {
    match word.trim().to_ascii_lowercase().as_str() {
        "ok" | "pass" | "up" | "healthy" | "ready" | "server_is_ready" => Tone::Well,
        "warn" => Tone::Warn,
        _ => Tone::Bad,
    }
}

/// Whether a word is known to mean that something is not well.
pub(crate) fn means_no(word: &str) -> bool {
    ["error", "fail", "down", "unhealthy", "shutting_down"]
        .contains(&word.trim().to_ascii_lowercase().as_str())
}

/// Reads a body.
pub(crate) fn read(bytes: &[u8]) -> Said {
    match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
        (Ok(Value::Object(map)), _) => object(map),
        (Ok(Value::String(word)), _) => word_alone(&word),
        (Ok(_), _) | (Err(_), Err(_)) => silent(),
        (Err(_), Ok(text)) => text_alone(text),
    }
}

fn object(map: Map<String, Value>) -> Said {
    let failing = failing(&map);
    let word = map.get("status").and_then(Value::as_str).map(str::to_owned);
    let body = Value::Object(map);
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()).filter(|t| !t.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Said {
        tone: word.as_deref().map_or(Tone::Silent, tone),
        word: word.map(|w| printable(&w, LONGEST_WORD)),
        versions: VERSIONS.iter().filter_map(|place| text(body.pointer(place)?)).collect(),
        failing,
    }
}

/// A plain text is one word or nothing; a page of HTML says nothing about health.
fn text_alone(text: &str) -> Said {
    match text.trim() {
        "" => Said { tone: Tone::Well, word: None, versions: Vec::new(), failing: Vec::new() },
        word if word.contains(char::is_whitespace) => silent(),
        word => word_alone(word),
    }
}

fn word_alone(word: &str) -> Said {
    let word_said = printable(word, LONGEST_WORD);
    Said { tone: tone(word), word: Some(word_said), versions: Vec::new(), failing: Vec::new() }
}

fn silent() -> Said {
    Said { tone: Tone::Silent, word: None, versions: Vec::new(), failing: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vocabulary_is_understood_whatever_its_case() {
        for well in ["ok", "PASS", "Up", "healthy", "ready"] {
            assert_eq!(read(format!("{{\"status\":\"{well}\"}}").as_bytes()).tone, Tone::Well, "{well}");
        }
        assert_eq!(read(br#"{"status":"warn"}"#).tone, Tone::Warn);
        for bad in ["error", "fail", "DOWN", "unhealthy", "shutting_down", "degraded", ""] {
            assert_eq!(read(format!("{{\"status\":\"{bad}\"}}").as_bytes()).tone, Tone::Bad, "{bad}");
        }
    }

    #[test]
    fn plain_text_is_well_when_it_says_so_or_says_nothing() {
        for well in ["", " \n", "ok\n", "OK", "Healthy", "SERVER_IS_READY", "\"ok\""] {
            assert_eq!(read(well.as_bytes()).tone, Tone::Well, "{well:?}");
        }
        assert_eq!(read(b"SERVER_IS_NOT_READY").tone, Tone::Bad);
    }

    #[test]
    fn what_does_not_say_is_not_taken_for_well() {
        let mute: [&[u8]; 7] = [
            b"<html>It works!</html> indeed",
            b"{}",
            b"[]",
            b"true",
            b"{\"status\":200}",
            b"\xff\xfeok",
            b"{\"status\":\"ok\"} x",
        ];
        for body in mute {
            assert_eq!(read(body).tone, Tone::Silent, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn the_release_is_found_wherever_a_vocabulary_keeps_it() {
        let body = br#"{"status":"pass","version":"1","releaseId":"1.5.0","info":{"version":7}}"#;
        assert_eq!(read(body).versions, ["1", "1.5.0", "7"]);
    }
}
