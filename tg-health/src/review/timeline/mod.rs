//! One procedure as it went, from the journals of its tools: phases, the life of each instance, who waited for the migrations,
//! and what a watch in the same run recorded.

mod draw;
mod lives;
mod phases;

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tg_core::state::State;
use tg_core::{Answer, Error as CoreError, Session, atomic_file, clock, journal};

use self::lives::Life;
use self::phases::Phase;
use super::page;
use crate::error::Error;
use crate::watch::Recording;

/// A run as it was journaled; times are ms since its beginning.
pub(super) struct Timeline {
    pub(super) run: String,
    /// RFC 3339.
    begun: String,
    length_ms: u64,
    phases: Vec<Phase>,
    lives: Vec<Life>,
    /// What was warned of, and the locks that migrations took and waited for.
    told: Vec<(u64, Value)>,
    /// How each tool ended.
    results: Vec<Value>,
    recordings: Vec<(u64, Recording)>,
}

/// Tells the run, and draws it where a page is wanted.
pub(super) fn tell(
    session: &Session,
    state: &State,
    run: &str,
    html: Option<&Path>,
) -> Result<Answer, Error> {
    let timeline = Timeline::read(state, run)?;
    session
        .emit
        .start(&format!("telling run {run}"), json!({"version": env!("CARGO_PKG_VERSION"), "of": run}))?;
    for phase in &timeline.phases {
        session.emit.record(&phase.sentence(), phase.data())?;
    }
    for life in &timeline.lives {
        session.emit.record(&life.sentence(), life.data())?;
    }
    for (at, line) in &timeline.told {
        let msg = line["msg"].as_str().unwrap_or_default();
        session
            .emit
            .record(msg, json!({"code": "told", "at_ms": at, "tool": line["tool"], "what": line["data"]}))?;
    }
    if let Some(path) = html {
        let title = format!("Run {run}");
        atomic_file::write(path, page::document(&title, &draw::body(&timeline)).as_bytes())?;
    }
    let ended: Vec<Value> = timeline
        .results
        .iter()
        .map(|line| json!({"tool": line["tool"], "exit": line["data"]["exit"], "msg": line["msg"]}))
        .collect();
    let data = json!({
        "of": run, "begun": timeline.begun, "duration_ms": timeline.length_ms, "phases": timeline.phases.len(),
        "results": ended, "html": html.map(|path| path.display().to_string()),
    });
    Ok(Answer::yes(format!("the run took {:.1} s", seconds(timeline.length_ms)), data))
}

#[expect(clippy::cast_precision_loss, reason = "ms of a run")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

impl Timeline {
    fn read(state: &State, run: &str) -> Result<Self, CoreError> {
        let mut lines = journal::lines(state, run)?;
        let at = |line: &Value| line["ts"].as_str().and_then(clock::millis);
        lines.retain(|line| at(line).is_some());
        lines.sort_by_key(|line| at(line));
        let (Some(first), Some(last)) = (lines.first().cloned(), lines.last().and_then(at)) else {
            return Err(CoreError::Usage {
                problem: format!("there is no journal of run {run:?} in {}", state.root().display()),
                hint: "the runs are the directories in runs/ there, and what history.jsonl names".into(),
            });
        };
        let mut recordings = recordings(&state.run_dir(run));
        // A watch that records comes before the first change, and keeps no journal of its own.
        let first = at(&first).unwrap_or_default();
        let begun = recordings.first().map_or(first, |(from, _)| first.min(*from));
        for (from, _) in &mut recordings {
            *from -= begun;
        }
        let timed: Vec<(u64, Value)> =
            lines.into_iter().map(|line| (at(&line).unwrap_or(begun) - begun, line)).collect();
        let watched = recordings.iter().filter_map(|(from, r)| Some(from + r.samples.last()?.at_ms)).max();
        // Locks that hold nobody up but those who change the schema are not worth a line.
        let weak = |mode: &Value| ["AccessShare", "RowShare", "RowExclusive"].iter().any(|weak| mode == weak);
        let is_lock = |data: &Value| data["kind"] == "lock" && !weak(&data["mode"]);
        let is_told =
            |line: &Value| line["type"] == "warning" || (line["type"] == "record" && is_lock(&line["data"]));
        let mut phases = phases::of(&timed);
        phases.extend(recordings.iter().map(|(from, recording)| Phase::watch(*from, recording)));
        phases.sort_by_key(|phase| phase.begin_ms);
        Ok(Timeline {
            run: run.to_owned(),
            begun: clock::rfc3339(UNIX_EPOCH + Duration::from_millis(begun)),
            length_ms: (last - begun).max(watched.unwrap_or(0)),
            phases,
            lives: lives::of(&timed),
            told: timed.iter().filter(|(_, line)| is_told(line)).cloned().collect(),
            results: timed
                .into_iter()
                .map(|(_, line)| line)
                .filter(|line| line["type"] == "result")
                .collect(),
            recordings,
        })
    }
}

/// What watches of the run have kept, with when they began, in ms since 1970, the first one first.
fn recordings(dir: &Path) -> Vec<(u64, Recording)> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == Recording::EXTENSION))
        .filter_map(|path| Recording::read(&path).ok())
        .filter_map(|recording| Some((clock::millis(&recording.head.begun)?, recording)))
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found
}
