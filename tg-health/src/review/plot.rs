//! Plots as SVG within a page; their colours are those of the page.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;
use tg_core::bytes;

use super::page::escaped;

/// Units of the drawing; it is as wide as the page lets it be.
pub(super) const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 120.0;
const ROW: f64 = 22.0;
/// Where bars begin, after their names.
const NAMES: f64 = 230.0;
/// Where they end, before their numbers.
const END: f64 = 640.0;

/// A horizontal bar, of a whole where there is one; bytes.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) whole: Option<f64>,
}

pub(super) fn figure(caption: &str, height: f64, drawing: &str) -> String {
    format!(
        "<figure><svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{0}\">{drawing}</svg>\
         <figcaption>{0}</figcaption></figure>",
        escaped(caption)
    )
}

/// Warnings and errors by the hour, of several logs together.
pub(super) fn hours(logs: &[&Value]) -> Option<String> {
    let mut all: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (hour, counts) in logs.iter().filter_map(|log| log.as_object()).flatten() {
        let sum = all.entry(hour.as_str()).or_default();
        sum.0 += counts[0].as_f64().unwrap_or(0.0);
        sum.1 += counts[1].as_f64().unwrap_or(0.0);
    }
    let most = all.values().map(|(warn, error)| warn + error).fold(0.0, f64::max);
    let (first, last) = (all.keys().next()?, all.keys().next_back()?);
    let begin = number_of_hour(first)?;
    let count = (number_of_hour(last)? - begin + 1.0).max(24.0);
    let step = WIDTH / count;
    let mut drawing = axis();
    for (hour, (warn, error)) in &all {
        let x = (number_of_hour(hour)? - begin) * step;
        let (low, high) = (error / most * HEIGHT, warn / most * HEIGHT);
        let width = (step - 1.0).max(1.0);
        rect(&mut drawing, "error", (x, HEIGHT - low), (width, low));
        rect(&mut drawing, "warning", (x, HEIGHT - low - high), (width, high));
    }
    label(&mut drawing, 0.0, "start", &first.replace('T', " "));
    // A short time does not fill the picture.
    if count > 24.0 {
        label(&mut drawing, WIDTH, "end", &last.replace('T', " "));
    }
    let caption = format!("Errors (below) and warnings by the hour; {most} in the worst one");
    Some(figure(&caption, HEIGHT + 20.0, &drawing))
}

/// Hours since 1970 of `2026-11-26T10`.
#[expect(clippy::cast_precision_loss, reason = "hours")]
fn number_of_hour(hour: &str) -> Option<f64> {
    tg_core::clock::seconds(&format!("{hour}:00:00Z")).map(|seconds| (seconds / 3600) as f64)
}

/// One value after another, in bytes.
#[expect(clippy::cast_precision_loss, reason = "a few reviews")]
pub(super) fn line(caption: &str, values: &[f64]) -> Option<String> {
    if values.len() < 2 {
        return None;
    }
    let most = values.iter().copied().fold(0.0, f64::max).max(1.0);
    let step = WIDTH / (values.len() - 1) as f64;
    let point = |(n, value): (usize, &f64)| {
        format!("{:.1},{:.1}", n as f64 * step, HEIGHT - value / most * (HEIGHT - 10.0))
    };
    let points: Vec<String> = values.iter().enumerate().map(point).collect();
    let mut drawing = axis();
    let _ = write!(drawing, "<polyline class=\"line\" points=\"{}\"/>", points.join(" "));
    let last = values.last().copied().unwrap_or(0.0);
    label(&mut drawing, 0.0, "start", &size(values[0]));
    label(&mut drawing, WIDTH, "end", &size(last));
    Some(figure(caption, HEIGHT + 20.0, &drawing))
}

/// Bars one below another, the longest as long as there is room.
pub(super) fn bars(caption: &str, bars: &[Bar]) -> Option<String> {
    let most = bars.iter().map(|bar| bar.whole.unwrap_or(bar.value)).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let mut drawing = String::new();
    let mut y = 0.0;
    for bar in bars {
        // A part of its own whole where there is one, else of the largest.
        let whole = bar.whole.unwrap_or(most).max(1.0);
        let room = END - NAMES;
        if bar.whole.is_some() {
            rect(&mut drawing, "rest", (NAMES, y + 4.0), (room, ROW - 8.0));
        }
        rect(&mut drawing, "bar", (NAMES, y + 4.0), ((bar.value / whole).min(1.0) * room, ROW - 8.0));
        let name: String = bar.name.chars().take(36).collect();
        let of = bar.whole.map_or_else(String::new, |whole| format!(" of {}", size(whole)));
        let _ = write!(
            drawing,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text><text x=\"{:.0}\" y=\"{:.0}\">{}{of}</text>",
            NAMES - 8.0,
            y + 15.0,
            escaped(&name),
            END + 8.0,
            y + 15.0,
            size(bar.value)
        );
        y += ROW;
    }
    Some(figure(caption, y, &drawing))
}

fn axis() -> String {
    format!("<line class=\"axis\" x1=\"0\" y1=\"{HEIGHT}\" x2=\"{WIDTH}\" y2=\"{HEIGHT}\"/>")
}

pub(super) fn rect(drawing: &mut String, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
    let _ = write!(
        drawing,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
    );
}

fn label(drawing: &mut String, x: f64, anchor: &str, text: &str) {
    let _ = write!(
        drawing,
        "<text x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
        HEIGHT + 14.0,
        escaped(text)
    );
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
fn size(value: f64) -> String {
    bytes::size(value.max(0.0) as u64)
}
