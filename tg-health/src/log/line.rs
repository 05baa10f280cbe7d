//! A line of a log: plain, or the JSON of the loggers that applications use (pino, bunyan, winston, log4j's and zap's layouts).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::access::Access;

/// Plain text names its level among its first words or not at all.
const FIRST_WORDS: usize = 8;

/// How bad a line is, by what it says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Debug,
    /// Also what says nothing.
    Info,
    Warn,
    Error,
    Fatal,
}

/// Level and message, and the request that it is about.
#[derive(Debug, PartialEq)]
pub(crate) struct Line<'a> {
    pub(crate) level: Level,
    pub(crate) message: Cow<'a, str>,
    pub(crate) access: Option<Access<'a>>,
}

/// The fields that are looked at; the others are passed over and not read.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, alias = "severity", alias = "lvl", alias = "loglevel")]
    level: Option<&'a RawValue>,
    #[serde(borrow, alias = "message", alias = "event")]
    msg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    err: Option<Failure<'a>>,
    #[serde(borrow)]
    req: Option<Request<'a>>,
    res: Option<Answer>,
    #[serde(rename = "responseTime")]
    response_time: Option<f64>,
}

/// Its fields are without escapes in all but odd requests, which are passed over.
#[derive(Deserialize)]
struct Request<'a> {
    method: Option<&'a str>,
    url: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "statusCode")]
    status_code: Option<u16>,
}

#[derive(Deserialize)]
struct Failure<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

impl<'a> Line<'a> {
    /// Reads a line without its end.
    pub(crate) fn read(text: &'a str) -> Self {
        let text = text.trim();
        if text.starts_with('{')
            && let Ok(fields) = serde_json::from_str::<Fields>(text)
            && (fields.level.is_some() || fields.msg.is_some())
        {
            return Self::of_fields(fields);
        }
        Line { level: level_in(text), message: Cow::Borrowed(text), access: Access::read(text) }
    }

    fn of_fields(fields: Fields<'a>) -> Self {
        let level = fields.level.map_or(Level::Info, |raw| level_of(raw.get()));
        let reason = fields.err.and_then(|err| err.message);
        let message = match (fields.msg, reason) {
            (Some(msg), Some(reason)) if !msg.contains(reason.as_ref()) => {
                Cow::Owned(format!("{msg}: {reason}"))
            }
            (Some(msg), _) => msg,
            (None, reason) => reason.unwrap_or_default(),
        };
        let access = match (fields.req, fields.res) {
            (
                Some(Request { method: Some(method), url: Some(path) }),
                Some(Answer { status_code: Some(status) }),
            ) => Some(Access { method, path, status, ms: fields.response_time }),
            _ => None,
        };
        Line { level, message, access }
    }
}

/// A level as JSON has it: a word, or one of the numbers of pino and bunyan.
fn level_of(json: &str) -> Level {
    if let Ok(number) = json.parse::<u32>() {
        return match number {
            0..30 => Level::Debug,
            30..40 => Level::Info,
            40..50 => Level::Warn,
            50..60 => Level::Error,
            60.. => Level::Fatal,
        };
    }
    word(json.trim_matches('"')).unwrap_or(Level::Info)
}

/// The level that a plain text names: `ERROR: …`, `[warn] …`, `level=error …`, and PostgreSQL's words.
fn level_in(text: &str) -> Level {
    let words = text
        .split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '(' | ')' | '|' | '='))
        .filter(|w| !w.is_empty());
    let named = words.take(FIRST_WORDS).find_map(|w| {
        let bare = w.trim_end_matches(':');
        // In lower case only what is marked as one: "error" may be a word of the sentence.
        let marked = bare.len() < w.len()
            || bare.chars().all(|c| c.is_ascii_uppercase())
            || text.contains(&format!("[{bare}]"))
            || text.contains(&format!("level={bare}"));
        word(bare).filter(|_| marked)
    });
    named.unwrap_or(Level::Info)
}

fn word(text: &str) -> Option<Level> {
    const WORDS: [(&str, Level); 17] = [
        ("trace", Level::Debug),
        ("debug", Level::Debug),
        ("verbose", Level::Debug),
        ("info", Level::Info),
        ("log", Level::Info),
        ("notice", Level::Info),
        ("statement", Level::Info),
        ("detail", Level::Info),
        ("hint", Level::Info),
        ("warn", Level::Warn),
        ("warning", Level::Warn),
        ("error", Level::Error),
        ("err", Level::Error),
        ("fatal", Level::Fatal),
        ("critical", Level::Fatal),
        ("panic", Level::Fatal),
        ("alert", Level::Fatal),
    ];
    WORDS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_from_every_layout() {
        for (text, level) in [
            (r#"{"level":50,"time":1,"msg":"x"}"#, Level::Error),
            (r#"{"level":"warn","message":"x"}"#, Level::Warn),
            (r#"{"severity":"CRITICAL","msg":"x"}"#, Level::Fatal),
            (r#"{"msg":"x"}"#, Level::Info),
            ("2026-01-01 10:00:00.123 UTC [77] ERROR:  relation \"x\" does not exist", Level::Error),
            ("2026-01-01 10:00:00 UTC [77] LOG:  checkpoint complete", Level::Info),
            ("[warn] slow", Level::Warn),
            ("ts=1 level=error msg=x", Level::Error),
            ("error: cannot connect", Level::Error),
            ("no error was found", Level::Info),
            ("listening on 3000", Level::Info),
            ("", Level::Info),
        ] {
            assert_eq!(Line::read(text).level, level, "{text}");
        }
    }

    #[test]
    fn the_message_of_json_is_its_own_and_that_of_its_error() {
        let line = Line::read(
            r#"{"level":50,"msg":"request failed","err":{"type":"Error","message":"timeout"},"req":{"id":7}}"#,
        );
        assert_eq!(line.message, "request failed: timeout");
        assert_eq!(Line::read(r#"{"level":50,"err":{"message":"a \"b\""}}"#).message, "a \"b\"");
        assert_eq!(Line::read(r#"{"feature": 1}"#).message, r#"{"feature": 1}"#);
    }

    #[test]
    fn a_request_is_read_with_its_answer() {
        let line = Line::read(
            r#"{"level":30,"req":{"id":1,"method":"GET","url":"/x","headers":{}},"res":{"statusCode":200,"headers":{}},"responseTime":5,"msg":"request completed"}"#,
        );
        let access = Access { method: "GET", path: "/x", status: 200, ms: Some(5.0) };
        assert_eq!((line.access, line.message.as_ref()), (Some(access), "request completed"));
        assert_eq!(Line::read(r#"{"level":30,"msg":"x","req":{"method":"GET"}}"#).access, None);
    }
}
