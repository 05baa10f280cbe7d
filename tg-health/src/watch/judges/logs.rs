//! Whether the logs say what they never said, or say it more often.

use std::time::Duration;

use serde_json::json;

use super::{Judge, MISSING, percent, share};
use crate::log::Level;
use crate::statistics::{SIGNIFICANT, rises};
use crate::watch::finding::{Finding, Gap, Row};
use crate::watch::recording::Recording;
use crate::watch::sample::{Heard, Sample};

/// So many lines of an error that is new: one alone may be chance.
const NEW: u64 = 3;
/// What is known rises when it is so many times as often, and so many lines.
const TIMES: f64 = 3.0;
const RISEN: u64 = 10;

#[derive(Default)]
pub(super) struct Logs {
    /// What was said in the time of the baseline.
    before: Vec<Heard>,
    before_s: u64,
    /// What was said at any time before.
    known: Vec<Heard>,
    compared: bool,
    now: Vec<Said>,
    seconds: u64,
    unheard: u64,
}

struct Said {
    heard: Heard,
    told: bool,
    noted: bool,
}

impl Logs {
    pub(super) fn beside(baseline: Option<&Recording>) -> Self {
        let mut logs = Logs { compared: baseline.is_some(), ..Logs::default() };
        let Some(baseline) = baseline else { return logs };
        logs.known.clone_from(&baseline.head.known);
        for heard in baseline.samples.iter().filter_map(|sample| sample.logs.as_ref()) {
            logs.before_s += 1;
            for heard in heard {
                Heard::gather(&mut logs.before, heard.clone());
            }
        }
        logs
    }

    fn is_known(&self, heard: &Heard) -> bool {
        self.known.iter().chain(&self.before).any(|known| known.is_like(heard))
    }

    /// What is to be said of a signature now.
    fn judge(&self, said: &Said) -> Option<Finding> {
        if !self.compared {
            return None;
        }
        let heard = &said.heard;
        let (before, now) = (Duration::from_secs(self.before_s), Duration::from_secs(self.seconds));
        let facts = |lines_before: u64| {
            json!({
                "service": heard.service, "level": heard.level, "signature": heard.signature,
                "lines": heard.lines, "lines_before": lines_before, "example": heard.example,
            })
        };
        let Heard { service, level, lines, example, .. } = heard;
        if !self.is_known(heard) {
            let bad = *level == Level::Fatal || (*level == Level::Error && *lines >= NEW);
            let msg = format!("{service} says something new ({lines} times): {example}");
            return match bad {
                true => Some(Finding::fatal("new-log-line", msg, facts(0))),
                false if !said.noted => Some(Finding::note("new-log-line", msg, facts(0))),
                false => None,
            };
        }
        let was = self.before.iter().find(|b| b.is_like(heard)).map_or(0, |b| b.lines);
        let rate = |lines: u64, time: Duration| share(lines, time.as_secs().max(1)).unwrap_or(0.0);
        let risen = *lines >= RISEN
            && rate(*lines, now) > rate(was, before) * TIMES
            && rises(was, before, *lines, now) >= SIGNIFICANT;
        if !risen {
            return None;
        }
        let msg = format!("{service} says more often than before ({lines} times): {example}");
        match level {
            Level::Error | Level::Fatal => Some(Finding::fatal("rising-log-line", msg, facts(was))),
            _ if !said.noted => Some(Finding::note("rising-log-line", msg, facts(was))),
            _ => None,
        }
    }
}

impl Judge for Logs {
    fn hear(&mut self, sample: &Sample, found: &mut Vec<Finding>) {
        let Some(heard) = &sample.logs else {
            let unheard = u64::from(sample.must_tell(self.seconds > self.unheard));
            self.unheard += unheard;
            self.seconds += unheard;
            return;
        };
        self.seconds += u64::from(!sample.rest);
        for heard in heard {
            match self.now.iter_mut().find(|said| said.heard.is_like(heard)) {
                Some(said) => said.heard.lines += heard.lines,
                None => self.now.push(Said { heard: heard.clone(), told: false, noted: false }),
            }
            let at = self.now.iter().position(|said| said.heard.is_like(heard) && !said.told);
            if let Some(at) = at
                && let Some(finding) = self.judge(&self.now[at])
            {
                self.now[at].told = finding.fatal;
                self.now[at].noted = true;
                found.push(finding);
            }
        }
    }

    fn sum_up(&self, rows: &mut Vec<Row>, gaps: &mut Vec<Gap>) {
        if self.seconds == self.unheard && self.before_s == 0 {
            return;
        }
        for (what, level) in [
            ("fatal_lines_per_min", Level::Fatal),
            ("error_lines_per_min", Level::Error),
            ("warn_lines_per_min", Level::Warn),
        ] {
            let per_minute = |lines: u64, seconds: u64| share(lines * 60, seconds);
            let before =
                self.before.iter().filter(|heard| heard.level == level).map(|heard| heard.lines).sum();
            let now =
                self.now.iter().filter(|said| said.heard.level == level).map(|said| said.heard.lines).sum();
            let before = per_minute(before, self.before_s);
            let now = per_minute(now, self.seconds - self.unheard);
            if before.is_some_and(|n| n > 0.0) || now.is_some_and(|n| n > 0.0) {
                rows.push(Row { what, of: "all".into(), before, now });
            }
        }
        let unheard = share(self.unheard, self.seconds).unwrap_or(1.0);
        if unheard > MISSING {
            gaps.push(Gap {
                code: "logs-unheard",
                msg: format!("the logs could not be heard in {} of the time", percent(unheard)),
            });
        }
    }
}
