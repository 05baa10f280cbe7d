//! What a container says, at level warn and worse.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tg_core::Session;
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::health::printable;
use tg_core::logs::Span;
use tg_core::redact::Redactor;

use super::Gathered;
use crate::log::{Level, Line, Lines, signature};
use crate::watch::sample::Heard;

/// How long ago something was said that is not new, s.
const DAY: i64 = 86_400;
/// Characters of a line that are repeated.
const LONGEST_EXAMPLE: usize = 200;
/// No log has more signatures that are worth keeping.
const MOST: usize = 2000;

/// Begins to follow a container's log, in a thread that ends with the watch or with the log.
pub(super) fn follow(session: &Session, container: &Container, known: bool, gathered: &Arc<Gathered>) {
    let redactor = Arc::clone(session.emit.redactor());
    let (service, id, gathered) = (container.service.clone(), container.id.clone(), Arc::clone(gathered));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let bounds = session.bounds();
    std::thread::spawn(move || {
        let Ok(engine) = Engine::connect(&bounds) else { return };
        let hear = |span: Span, tell: &dyn Fn(Heard)| {
            let mut lines = Lines::default();
            let ended = engine.listen(&id, span, |piece| {
                lines.add(piece, |line| {
                    if let Some(heard) = read(&service, line, &redactor) {
                        tell(heard);
                    }
                });
                if gathered.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            // A log that can't be read any more is that of a container which is gone.
            drop(ended);
        };
        if known {
            hear(Span { since: now - DAY, ..Span::default() }, &|heard| {
                let mut inner = gathered.lock();
                if inner.known.len() < MOST {
                    Heard::gather(&mut inner.known, heard);
                }
            });
        }
        hear(Span { since: now, follow: true, ..Span::default() }, &|heard| {
            let mut inner = gathered.lock();
            let logs = inner.sample.logs.get_or_insert_default();
            if logs.len() < MOST {
                Heard::gather(logs, heard);
            }
        });
    });
}

fn read(service: &str, line: &str, redactor: &Redactor) -> Option<Heard> {
    let line = Line::read(line);
    if line.level < Level::Warn {
        return None;
    }
    let message = redactor.clean(&line.message);
    let mut text = String::new();
    signature(&message, &mut text);
    let example = printable(&message, LONGEST_EXAMPLE);
    Some(Heard { service: service.to_owned(), level: line.level, signature: text, lines: 1, example })
}
