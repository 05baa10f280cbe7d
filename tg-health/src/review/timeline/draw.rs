//! A run as a picture: time from left to right, a row a step and a row a container, latency and errors below.

use std::fmt::Write;

use super::lives::Stage;
use super::{Timeline, seconds};
use crate::review::page::{escaped, list};
use crate::review::plot::{WIDTH, figure, rect};
use crate::statistics::Tally;
use crate::watch::{Probes, Recording, Sample};

/// Where time begins, after the names.
const BEGIN: f64 = 190.0;
const ROW: f64 = 20.0;
const CURVE: f64 = 90.0;

/// The page's body.
pub(super) fn body(timeline: &Timeline) -> String {
    let mut body = format!(
        "<header><h1>Run {}</h1><p>{} UTC, {:.1} s</p></header>",
        escaped(&timeline.run),
        escaped(&timeline.begun.get(..19).unwrap_or_default().replace('T', " ")),
        seconds(timeline.length_ms)
    );
    let mut section = |name: &str, content: String| {
        if !content.is_empty() {
            let _ = write!(body, "<section><h2>{name}</h2>{content}</section>");
        }
    };
    section("How it ended", results(timeline));
    section("Steps", phases(timeline));
    section("Containers", lives(timeline));
    section("Latency and errors", curves(timeline));
    section("What was warned of, and the locks of migrations", told(timeline));
    body
}

fn results(timeline: &Timeline) -> String {
    let class = |well: bool| if well { "fine" } else { "attention" };
    let tools = timeline.results.iter().map(|line| {
        let word = |key: &str| line[key].as_str().unwrap_or_default();
        (class(line["data"]["ok"] == true), format!("{}: {}", word("tool"), word("msg")))
    });
    let watches = timeline.phases.iter().filter(|phase| phase.step == "watch");
    list(tools.chain(
        watches.map(|phase| (class(phase.state == "succeeded"), format!("{}: {}", phase.tool, phase.msg))),
    ))
}

fn told(timeline: &Timeline) -> String {
    list(timeline.told.iter().map(|(at, line)| {
        let class = if line["type"] == "warning" { "note" } else { "fine" };
        (class, format!("{:.1} s: {}", seconds(*at), line["msg"].as_str().unwrap_or_default().trim()))
    }))
}

impl Timeline {
    /// Where a moment is.
    #[expect(clippy::cast_precision_loss, reason = "ms of a run")]
    fn x(&self, at_ms: u64) -> f64 {
        BEGIN + at_ms as f64 / self.length_ms.max(1) as f64 * (WIDTH - BEGIN)
    }

    fn bar(&self, drawing: &mut String, class: &str, y: f64, from: u64, to: u64) {
        let (left, right) = (self.x(from), self.x(to));
        rect(drawing, class, (left, y + 4.0), ((right - left).max(1.5), ROW - 8.0));
    }

    /// A drawing of some height with the time below it; nothing of none.
    fn picture(&self, caption: &str, height: f64, drawing: &str) -> String {
        if height == 0.0 {
            return String::new();
        }
        let mut whole = String::new();
        for quarter in 0..=4 {
            let at = self.length_ms * quarter / 4;
            let anchor = if quarter == 4 { "end" } else { "start" };
            let x = self.x(at);
            let _ = write!(
                whole,
                "<line class=\"axis\" x1=\"{x:.1}\" y1=\"0\" x2=\"{x:.1}\" y2=\"{height}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{:.1} s</text>",
                height + 14.0,
                seconds(at)
            );
        }
        whole.push_str(drawing);
        figure(caption, height + 20.0, &whole)
    }
}

fn name(drawing: &mut String, y: f64, text: &str) {
    let text: String = text.chars().take(30).collect();
    let _ = write!(
        drawing,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>",
        BEGIN - 8.0,
        y + 14.0,
        escaped(&text)
    );
}

fn phases(timeline: &Timeline) -> String {
    let (mut drawing, mut y) = (String::new(), 0.0);
    for phase in &timeline.phases {
        let class = match phase.state.as_str() {
            "succeeded" => "bar",
            "undo_started" | "undo_finished" => "undone",
            _ => "failed",
        };
        name(&mut drawing, y, &format!("{} {}", phase.tool, phase.step));
        let _ = write!(drawing, "<g><title>{}</title>", escaped(&phase.sentence()));
        timeline.bar(&mut drawing, class, y, phase.begin_ms, phase.end_ms.unwrap_or(timeline.length_ms));
        drawing.push_str("</g>");
        y += ROW;
    }
    timeline.picture("A row a step; what failed, was undone or never ended has another colour", y, &drawing)
}

fn lives(timeline: &Timeline) -> String {
    let (mut drawing, mut y) = (String::new(), 0.0);
    for life in &timeline.lives {
        name(&mut drawing, y, &life.name);
        for (n, (from, stage)) in life.stages.iter().enumerate() {
            let class = match stage {
                Stage::Created | Stage::Resting => "rest",
                Stage::Booting | Stage::Draining => "warning",
                Stage::Ready => "ready",
                Stage::Serving => "serving",
                Stage::Gone => continue,
            };
            let to = life.stages.get(n + 1).map_or(timeline.length_ms, |(at, _)| *at);
            let _ = write!(drawing, "<g><title>{} from {:.1} s</title>", stage.word(), seconds(*from));
            timeline.bar(&mut drawing, class, y, *from, to);
            drawing.push_str("</g>");
        }
        y += ROW;
    }
    let caption =
        "Grey: created, or kept at rest; orange: booting or draining; blue: ready; green: in rotation";
    timeline.picture(caption, y, &drawing)
}

/// A second of a watch: when it was, the 95th percentile in ms where anything was answered well, and how many failed.
type Point = (u64, Option<f64>, u64);

#[expect(clippy::cast_precision_loss, reason = "µs of a request")]
fn points(begun: u64, recording: &Recording) -> Vec<Point> {
    let point = |sample: &Sample| {
        let mut tally = Tally::default();
        sample.probes.values().flat_map(|probes| &probes.well_us).for_each(|us| tally.add(u64::from(*us)));
        let failed = sample.probes.values().map(Probes::failures).sum();
        let p95 = tally.percentile(95.0).map(|us| us as f64 / 1000.0);
        (begun + sample.at_ms, p95, failed)
    };
    recording.samples.iter().map(point).collect()
}

/// Latency and failures, where a watch of the same run has kept them.
fn curves(timeline: &Timeline) -> String {
    let curves: Vec<Vec<Point>> =
        timeline.recordings.iter().map(|(begun, recording)| points(*begun, recording)).collect();
    let points: Vec<_> = curves.iter().flatten().collect();
    let most = points.iter().filter_map(|(_, ms, _)| *ms).fold(0.0, f64::max);
    let failed: u64 = points.iter().map(|(_, _, failed)| failed).sum();
    // Where nothing was answered at all, the failures are all that there is to see.
    if most <= 0.0 && failed == 0 {
        return String::new();
    }
    let mut drawing = String::new();
    for (at, _, _) in points.iter().filter(|(_, _, failed)| *failed > 0) {
        rect(&mut drawing, "error", (timeline.x(*at), 0.0), (2.0, CURVE));
    }
    // What nobody watched has no line.
    for curve in &curves {
        let line: Vec<String> = curve
            .iter()
            .filter_map(|(at, ms, _)| Some((timeline.x(*at), CURVE - (*ms)? / most * (CURVE - 5.0))))
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = write!(drawing, "<polyline class=\"line\" points=\"{}\"/>", line.join(" "));
    }
    name(&mut drawing, 0.0, &format!("{most:.0} ms"));
    let caption = format!("What one request in twenty takes longer than, each second; {failed} failed (red)");
    timeline.picture(&caption, CURVE, &drawing)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn second(at_ms: u64, well: usize, failed: u32) -> Sample {
        let failures =
            if failed > 0 { BTreeMap::from([("status 503".to_owned(), failed)]) } else { BTreeMap::new() };
        let probes = Probes { well_us: vec![4000; well], failed: failures, missed: 0 };
        Sample { at_ms, probes: BTreeMap::from([("http://h/".to_owned(), probes)]), ..Sample::default() }
    }

    #[test]
    fn a_second_in_which_nothing_was_answered_well_counts_with_its_failures() {
        let samples = vec![second(1000, 10, 0), second(2000, 0, 10), second(3000, 9, 1)];
        let points = points(500, &Recording { samples, ..Recording::default() });
        assert_eq!(points, [(1500, Some(4.0), 0), (2500, None, 10), (3500, Some(4.0), 1)]);
    }
}
