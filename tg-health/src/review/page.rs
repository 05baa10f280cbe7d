//! A review as a page that stands alone: no script, no font, nothing from elsewhere.

use std::fmt::Write;

use serde_json::Value;

use super::entry::{Entry, Severity};
use super::plot::{self, Bar};

const STYLE: &str = include_str!("page.css");

/// The sections in the order in which a person asks for them, and what they are called.
const SECTIONS: [(&str, &str); 13] = [
    ("requests", "Requests"),
    ("logs", "Logs"),
    ("containers", "Containers"),
    ("images", "Images"),
    ("database", "Database"),
    ("statements", "Statements that took most of the time"),
    ("replication", "Replication and WAL"),
    ("tables", "Tables and indexes"),
    ("disk", "Disk"),
    ("certificates", "Certificates"),
    ("backups", "Backups"),
    ("changes", "What was changed"),
    ("others", "Other tools"),
];

/// The page.
pub(super) fn of(project: &str, period: &str, now: &str, entries: &[Entry]) -> String {
    let of = |severity: Severity| entries.iter().filter(move |entry| entry.severity == severity);
    let (attention, notes) = (of(Severity::Attention).count(), of(Severity::Note).count());
    let title = format!("{project}: the last {period}");
    let when = now.get(..16).unwrap_or(now).replace('T', " ");
    let mut body = format!(
        "<header><h1>{}</h1><p>Review of {} UTC</p><ul class=\"sum\">{}{}{}</ul></header>",
        escaped(&title),
        escaped(&when),
        count(attention, if attention > 0 { "attention" } else { "fine" }, "need attention"),
        count(notes, "note", "to know"),
        count(of(Severity::Fine).count(), "fine", "as they should be"),
    );
    if attention > 0 {
        body.push_str("<section><h2>Needs attention</h2>");
        body.push_str(&list(of(Severity::Attention).map(item)));
        body.push_str("</section>");
    }
    for (section, name) in SECTIONS {
        let all: Vec<&Entry> = entries.iter().filter(|entry| entry.section == section).collect();
        if all.is_empty() {
            continue;
        }
        let figure = figure(section, &all).unwrap_or_default();
        let list = list(all.into_iter().map(item));
        let _ = write!(body, "<section><h2>{name}</h2>{figure}{list}</section>");
    }
    document(&title, &body)
}

/// A whole document.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\"><title>{}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        escaped(title)
    )
}

fn count(number: usize, class: &str, words: &str) -> String {
    format!("<li><b class=\"{class}\">{number}</b> {words}</li>")
}

/// Lines, each of a class of the style; nothing of none.
pub(super) fn list<T: AsRef<str>>(items: impl Iterator<Item = (&'static str, T)>) -> String {
    let mut all = String::new();
    for (class, text) in items {
        let _ = write!(all, "<li class=\"{class}\"><span>{}</span></li>", escaped(text.as_ref()));
    }
    if all.is_empty() { all } else { format!("<ul class=\"told\">{all}</ul>") }
}

fn item(entry: &Entry) -> (&'static str, &str) {
    let class = match entry.severity {
        Severity::Attention => "attention",
        Severity::Note => "note",
        Severity::Fine => "fine",
    };
    (class, &entry.msg)
}

fn figure(section: &str, entries: &[&Entry]) -> Option<String> {
    match section {
        "logs" => plot::hours(&entries.iter().filter_map(|e| e.facts.get("hours")).collect::<Vec<_>>()),
        "containers" => bars(entries, "memory", "Memory, and the limit where there is one", |facts| {
            Some(Bar {
                name: text(facts, "container")?,
                value: number(facts, "bytes")?,
                whole: number(facts, "limit"),
            })
        }),
        "disk" => bars(entries, "disk", "Used of each disk", |facts| {
            let (free, total) = (number(facts, "free")?, number(facts, "total")?);
            Some(Bar { name: text(facts, "what")?, value: total - free, whole: Some(total) })
        }),
        "tables" => bars(entries, "table", "Size with indexes", |facts| {
            Some(Bar { name: text(facts, "table")?, value: number(facts, "bytes")?, whole: None })
        }),
        "database" => {
            let facts = &entries.iter().find(|entry| entry.code == "database-size")?.facts;
            let before = facts["before"].as_array()?;
            let mut values: Vec<f64> = before.iter().filter_map(|pair| pair[1].as_f64()).collect();
            values.push(number(facts, "bytes")?);
            plot::line("Size of the database at each review", &values)
        }
        _ => None,
    }
}

fn bars(
    entries: &[&Entry],
    code: &str,
    caption: &str,
    bar: impl Fn(&Value) -> Option<Bar>,
) -> Option<String> {
    let bars: Vec<Bar> =
        entries.iter().filter(|entry| entry.code == code).filter_map(|entry| bar(&entry.facts)).collect();
    plot::bars(caption, &bars)
}

fn number(facts: &Value, key: &str) -> Option<f64> {
    facts[key].as_f64()
}

fn text(facts: &Value, key: &str) -> Option<String> {
    facts[key].as_str().map(str::to_owned)
}

/// Text within HTML. What logs say comes from anybody.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(entries: &[Entry]) -> String {
        of("app", "7 days", "2026-11-26T10:00:00Z", entries)
    }

    #[test]
    fn what_a_log_says_is_text_and_never_markup() {
        let hours = json!({"hours": {"2026-11-26T10": [1, 2]}});
        let evil = "<script>alert(1)</script>\"'&";
        let entry = Entry::new("logs", "log-levels", Severity::Attention, evil.into(), hours);
        let page = page(&[entry]);
        assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");
        assert!(page.contains("<svg"));
    }

    #[test]
    fn the_page_asks_nobody_for_anything() {
        let disk = json!({"what": "Docker", "free": 10, "total": 100});
        let page = page(&[Entry::new("disk", "disk", Severity::Fine, "disk".into(), disk)]);
        for away in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(away), "{away}");
        }
    }
}
