//! The logs of a service, digested while they are read: however long they are, what is kept of them is not.

use std::collections::{BTreeMap, HashMap};

use tg_core::health::printable;
use tg_core::redact::Redactor;

use crate::log::{Level, Line, signature};
use crate::statistics::Tally;

/// Signatures and endpoints that are kept; those that come later are only counted.
const MOST: usize = 2000;
const LONGEST_EXAMPLE: usize = 200;
/// `2026-11-26T10` of a time, and all of one to the second.
const HOUR: usize = 13;
const SECOND: usize = 19;

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Digest {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) levels: BTreeMap<Level, u64>,
    /// Lines of level warn, and worse ones, by hour.
    pub(super) hours: BTreeMap<String, (u64, u64)>,
    /// By level and signature.
    pub(super) said: HashMap<(Level, String), Said>,
    pub(super) endpoints: HashMap<String, Endpoint>,
    /// Lines whose signature or endpoint was one too many.
    pub(super) others: u64,
    /// The time of the first line, RFC 3339 to the second.
    pub(super) first: Option<String>,
    buffer: String,
}

/// Lines of one signature.
#[derive(Debug, Default, Clone)]
pub(super) struct Said {
    pub(super) lines: u64,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) example: String,
}

/// Requests to one endpoint.
#[derive(Debug, Default, Clone)]
pub(super) struct Endpoint {
    pub(super) requests: u64,
    /// Answered 500 to 599.
    pub(super) failed: u64,
    /// µs, where the log says it.
    pub(super) times: Tally,
}

impl Digest {
    /// Takes one line, which begins with Docker's time.
    pub(super) fn add(&mut self, text: &str, redactor: &Redactor) {
        let (time, text) = text.split_once(' ').unwrap_or((text, ""));
        self.lines += 1;
        self.bytes += text.len() as u64;
        if self.first.is_none() {
            self.first = time.get(..SECOND).map(str::to_owned);
        }
        let line = Line::read(text);
        *self.levels.entry(line.level).or_default() += 1;
        self.add_request(&line);
        if line.level < Level::Warn {
            return;
        }
        if let Some(hour) = time.get(..HOUR) {
            let counts = match self.hours.get_mut(hour) {
                Some(counts) => counts,
                None => self.hours.entry(hour.to_owned()).or_default(),
            };
            if line.level == Level::Warn { counts.0 += 1 } else { counts.1 += 1 }
        }
        self.add_signature(&line, time.get(..SECOND).unwrap_or(time), redactor);
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "µs of a request")]
    fn add_request(&mut self, line: &Line<'_>) {
        let Some(access) = &line.access else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        access.endpoint(&mut buffer);
        if !self.endpoints.contains_key(&buffer) {
            if self.endpoints.len() >= MOST {
                self.others += 1;
                self.buffer = buffer;
                return;
            }
            self.endpoints.insert(buffer.clone(), Endpoint::default());
        }
        if let Some(endpoint) = self.endpoints.get_mut(&buffer) {
            endpoint.requests += 1;
            endpoint.failed += u64::from(access.status >= 500);
            if let Some(ms) = access.ms.filter(|ms| *ms >= 0.0) {
                endpoint.times.add((ms * 1000.0) as u64);
            }
        }
        self.buffer = buffer;
    }

    fn add_signature(&mut self, line: &Line<'_>, time: &str, redactor: &Redactor) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let message = redactor.clean(&line.message);
        signature(&message, &mut buffer);
        let key = (line.level, buffer);
        if let Some(said) = self.said.get_mut(&key) {
            said.lines += 1;
            time.clone_into(&mut said.last);
        } else if self.said.len() >= MOST {
            self.others += 1;
        } else {
            let example = printable(&message, LONGEST_EXAMPLE);
            self.said.insert(key.clone(), Said { lines: 1, first: time.into(), last: time.into(), example });
        }
        self.buffer = key.1;
    }

    /// Both together: those of two containers of a service.
    pub(super) fn merge(&mut self, other: Digest) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.others += other.others;
        self.first = [self.first.take(), other.first].into_iter().flatten().min();
        for (level, n) in other.levels {
            *self.levels.entry(level).or_default() += n;
        }
        for (hour, (warn, error)) in other.hours {
            let counts = self.hours.entry(hour).or_default();
            counts.0 += warn;
            counts.1 += error;
        }
        for (key, said) in other.said {
            let mine = self.said.entry(key).or_insert_with(|| Said { lines: 0, ..said.clone() });
            mine.lines += said.lines;
            mine.first = std::mem::take(&mut mine.first).min(said.first);
            mine.last = std::mem::take(&mut mine.last).max(said.last);
        }
        for (name, endpoint) in other.endpoints {
            let mine = self.endpoints.entry(name).or_default();
            mine.requests += endpoint.requests;
            mine.failed += endpoint.failed;
            mine.times.merge(&endpoint.times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(lines: &[&str]) -> Digest {
        let redactor = Redactor::default();
        let mut digest = Digest::default();
        for line in lines {
            digest.add(line, &redactor);
        }
        digest
    }

    const WARN: &str = r#"2026-11-26T10:00:00.1Z {"level":40,"msg":"slow query 12 ms"}"#;
    const ERROR: &str = r#"2026-11-26T11:00:00.1Z {"level":50,"msg":"slow query 13 ms"}"#;
    const REQUEST: &str = r#"2026-11-26T10:30:00.1Z {"level":30,"req":{"method":"GET","url":"/a/1"},"res":{"statusCode":503},"responseTime":2}"#;

    #[test]
    fn levels_hours_signatures_and_endpoints_are_counted() {
        let digest = digest(&[WARN, WARN, ERROR, REQUEST, "2026-11-26T12:00:00Z"]);
        assert_eq!((digest.lines, digest.levels[&Level::Warn], digest.levels[&Level::Info]), (5, 2, 2));
        assert_eq!(digest.hours["2026-11-26T10"], (2, 0));
        assert_eq!(digest.said[&(Level::Warn, "slow query <*> ms".to_owned())].lines, 2);
        let endpoint = &digest.endpoints["GET /a/<*>"];
        assert_eq!((endpoint.requests, endpoint.failed, endpoint.times.percentile(50.0)), (1, 1, Some(2000)));
        assert_eq!(digest.first.as_deref(), Some("2026-11-26T10:00:00"));
    }

    #[test]
    fn two_halves_together_are_the_whole() {
        let lines = [WARN, ERROR, REQUEST, WARN, REQUEST];
        for cut in 0..=lines.len() {
            let mut both = digest(&lines[..cut]);
            both.merge(digest(&lines[cut..]));
            let whole = digest(&lines);
            assert_eq!((both.lines, both.levels, both.hours), (whole.lines, whole.levels, whole.hours));
            assert_eq!(both.said.len(), whole.said.len());
            assert_eq!(both.endpoints["GET /a/<*>"].requests, 2);
        }
    }

    #[test]
    fn what_is_kept_does_not_grow_with_the_log() {
        let redactor = Redactor::default();
        let mut digest = Digest::default();
        let word = |n: usize| -> String {
            format!("{n:x}").chars().map(|c| char::from(b'g' + (c as u8 % 19))).collect()
        };
        for n in 0..MOST * 3 {
            digest.add(&format!("2026-11-26T10:00:00Z ERROR: {}{} failed", word(n), word(n * 7)), &redactor);
        }
        assert!(digest.said.len() <= MOST);
        assert_eq!(digest.lines, MOST as u64 * 3);
    }
}
