//! What the services have said, and how they have answered.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::logs::Span;
use tg_core::redact::Redactor;
use tg_core::{Error, Session, bytes};

use super::digest::{Digest, Endpoint, Said};
use super::entry::{Entry, Severity, attention_if, note_if};
use crate::log::{Level, Lines};

/// An endpoint is looked at where it had so many requests.
const FEWEST: u64 = 20;
/// It fails where more than this part of its answers are 5xx.
const FAILING: f64 = 0.01;
/// It is slow where one answer in twenty takes longer, ms.
const SLOW_MS: f64 = 1000.0;

/// The logs of all containers since a time, by service.
pub(super) fn read(
    session: &Session,
    containers: &[Container],
    since: i64,
) -> Result<BTreeMap<String, Digest>, Error> {
    let all = Mutex::new(BTreeMap::<String, Digest>::new());
    let next = AtomicUsize::new(0);
    let readers = std::thread::available_parallelism().map_or(1, usize::from).min(containers.len());
    std::thread::scope(|scope| {
        let work = || -> Result<(), Error> {
            let engine = Engine::connect(&session.bounds())?;
            while let Some(container) = containers.get(next.fetch_add(1, Ordering::SeqCst)) {
                let digest = digest(session, &engine, &container.id, since)?;
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.entry(container.service.clone()).or_default().merge(digest);
            }
            Ok(())
        };
        let readers: Vec<_> = (0..readers).map(|_| scope.spawn(work)).collect();
        readers.into_iter().try_for_each(tg_core::thread::joined)
    })?;
    session.check("reading the logs")?;
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn digest(session: &Session, engine: &Engine, id: &str, since: i64) -> Result<Digest, Error> {
    let redactor: &Redactor = session.emit.redactor();
    let (mut digest, mut lines) = (Digest::default(), Lines::default());
    engine.listen(id, Span { since, times: true, follow: false }, |piece| {
        lines.add(piece, |line| digest.add(line, redactor));
        if session.check("reading the logs").is_err() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok(digest)
}

/// What there is to tell of them. `known` are the signatures of earlier reviews; none where this is the first.
pub(super) fn entries(
    all: &BTreeMap<String, Digest>,
    known: Option<&HashSet<String>>,
    most: usize,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (service, digest) in all {
        entries.push(levels(service, digest));
        let mut said: Vec<_> = digest.said.iter().collect();
        said.sort_by_key(|((level, signature), said)| {
            (std::cmp::Reverse((*level, said.lines)), signature.clone())
        });
        let of =
            |(level, signature): &(Level, String), said: &Said| one(service, *level, signature, said, known);
        let all: Vec<Entry> = said.into_iter().map(|(key, said)| of(key, said)).collect();
        // What is new is told first, and is never one too many.
        let (new, old): (Vec<_>, Vec<_>) = all.into_iter().partition(|entry| entry.facts["new"] == true);
        let room = most.saturating_sub(new.len());
        entries.extend(new);
        entries.extend(old.into_iter().take(room));
        let mut endpoints: Vec<_> = digest.endpoints.iter().filter(|(_, e)| e.requests >= FEWEST).collect();
        endpoints.sort_by_key(|(_, endpoint)| {
            std::cmp::Reverse((endpoint.failed, endpoint.times.percentile(95.0)))
        });
        entries.extend(
            endpoints.into_iter().take(most).map(|(name, endpoint)| request(service, name, endpoint)),
        );
    }
    entries
}

/// What a later review must know of a signature.
pub(super) fn name(service: &str, level: Level, signature: &str) -> String {
    format!("{service} {level:?} {signature}")
}

fn levels(service: &str, digest: &Digest) -> Entry {
    let of = |level| digest.levels.get(&level).copied().unwrap_or(0);
    let (warn, error, fatal) = (of(Level::Warn), of(Level::Error), of(Level::Fatal));
    let msg = format!(
        "{service}: {} lines ({}), {warn} warnings, {} errors",
        digest.lines,
        bytes::size(digest.bytes),
        error + fatal
    );
    let facts = json!({
        "service": service, "lines": digest.lines, "bytes": digest.bytes, "levels": digest.levels.iter().map(|(level, n)| (format!("{level:?}").to_lowercase(), *n)).collect::<BTreeMap<_, _>>(),
        "hours": digest.hours, "begins": digest.first, "others": digest.others,
    });
    Entry::new("logs", "log-levels", note_if(error + fatal > 0), msg, facts)
}

fn one(service: &str, level: Level, signature: &str, said: &Said, known: Option<&HashSet<String>>) -> Entry {
    let new = known.map(|known| !known.contains(&name(service, level, signature)));
    let word = if new == Some(true) { "new: " } else { "" };
    let msg = format!("{service}, {} times: {word}{}", said.lines, said.example);
    let severity = match (new, level) {
        (Some(true), Level::Error | Level::Fatal) | (_, Level::Fatal) => Severity::Attention,
        (_, Level::Error) | (Some(true), _) => Severity::Note,
        _ => Severity::Fine,
    };
    let facts = json!({
        "service": service, "level": level, "signature": signature, "lines": said.lines, "new": new,
        "first": said.first, "last": said.last, "example": said.example,
    });
    Entry::new("logs", "log-signature", severity, msg, facts)
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn request(service: &str, name: &str, endpoint: &Endpoint) -> Entry {
    let ms = |percent| endpoint.times.percentile(percent).map(|us| us as f64 / 1000.0);
    let failing = endpoint.failed as f64 / endpoint.requests as f64;
    let (p50, p95) = (ms(50.0), ms(95.0));
    let bad = failing > FAILING || p95.is_some_and(|ms| ms > SLOW_MS);
    let time = p95.map_or_else(String::new, |ms| format!(", one in twenty takes longer than {ms:.0} ms"));
    let msg = format!("{name}: {} requests, {} failed{time}", endpoint.requests, endpoint.failed);
    let facts = json!({
        "service": service, "endpoint": name, "requests": endpoint.requests, "failed": endpoint.failed,
        "p50_ms": p50, "p95_ms": p95, "p99_ms": ms(99.0),
    });
    Entry::new("requests", "endpoint", attention_if(bad), msg, facts)
}
