//! The wire contract, declared a second time and by hand: a field that appears, disappears or
//! changes its type without `docs/events.md` and this file is a failure.
//!
//! Beside its own examples it reads every `*.jsonl` below the directory that `TG_CONTRACT_DIR`
//! names: what tools and procedures really printed, and their journals.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    v: u64,
    ts: String,
    run: String,
    tool: String,
    r#type: Type,
    msg: String,
    data: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Type {
    Start,
    Step,
    Record,
    Progress,
    Warning,
    Result,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Error {
    code: String,
    message: String,
    hint: Option<String>,
    retryable: bool,
    #[serde(default)]
    details: Option<Value>,
}

const TOOLS: [&str; 15] = [
    "tg-backup",
    "tg-health",
    "tg-migrate",
    "tg-swap",
    "tg-vacuum",
    "preflight",
    "rehearse",
    "upgrade",
    "upgrade-zero-downtime",
    "rollback",
    "maintain-weekly",
    "maintain-monthly",
    "maintain-quarterly",
    "maintain-security",
    "maintain-status",
];
const EXITS: [u64; 12] = [0, 1, 2, 3, 4, 5, 6, 10, 11, 124, 130, 143];
const STATES: [&str; 6] = ["started", "succeeded", "failed", "undo_started", "undo_finished", "undo_failed"];

/// What one stream must keep: lines nest like brackets, since a procedure's lines enclose its tools'.
#[derive(Default)]
struct Stream {
    open: Vec<(String, Vec<String>)>,
}

impl Stream {
    fn take(&mut self, text: &str) -> Result<(), String> {
        let line: Line = serde_json::from_str(text).map_err(|e| format!("{e}"))?;
        if line.v != 1 {
            return Err(format!("v is {}", line.v));
        }
        if !is_rfc3339_millis(&line.ts) {
            return Err(format!("ts {:?} is not RFC 3339 in UTC with milliseconds", line.ts));
        }
        if !TOOLS.contains(&line.tool.as_str()) {
            return Err(format!("nobody knows tool {}", line.tool));
        }
        if line.run.is_empty() || line.msg.is_empty() && line.r#type != Type::Record {
            return Err("run and msg must say something".into());
        }
        if line.r#type == Type::Start {
            self.open.push((line.tool, Vec::new()));
            return Ok(());
        }
        let Some((tool, steps)) = self.open.last_mut() else {
            return Err("the first line must be a start".into());
        };
        if *tool != line.tool {
            return Err(format!("{} speaks while {tool} has not ended", line.tool));
        }
        match line.r#type {
            Type::Start | Type::Record => {}
            Type::Step => step(steps, &line.data)?,
            Type::Progress => progress(&line.data)?,
            Type::Warning => text_of(&line.data, "code").map(drop)?,
            Type::Result => {
                result(&line.data)?;
                self.open.pop();
            }
        }
        Ok(())
    }
}

fn text_of<'a>(data: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    data.get(key)
        .and_then(Value::as_str)
        .filter(|t| !t.is_empty())
        .ok_or_else(|| format!("data.{key} must be a text"))
}

fn step(open: &mut Vec<String>, data: &Map<String, Value>) -> Result<(), String> {
    let (step, state) = (text_of(data, "step")?, text_of(data, "state")?);
    if !STATES.contains(&state) {
        return Err(format!("nobody knows state {state}"));
    }
    if state == "started" || state == "undo_started" {
        open.push(step.to_owned());
        return Ok(());
    }
    match open.iter().rposition(|name| name == step) {
        Some(at) => drop(open.remove(at)),
        None => return Err(format!("step {step} is {state} but never started")),
    }
    if state.ends_with("failed") {
        text_of(data, "error")?;
    }
    Ok(())
}

fn progress(data: &Map<String, Value>) -> Result<(), String> {
    text_of(data, "unit")?;
    for key in ["done", "total"] {
        data.get(key).and_then(Value::as_u64).ok_or_else(|| format!("data.{key} must be a number"))?;
    }
    match data.get("eta_ms") {
        Some(Value::Null | Value::Number(_)) => Ok(()),
        _ => Err("data.eta_ms must be a number or null".into()),
    }
}

fn result(data: &Map<String, Value>) -> Result<(), String> {
    let ok = data.get("ok").and_then(Value::as_bool).ok_or("data.ok must be true or false")?;
    let exit = data.get("exit").and_then(Value::as_u64).ok_or("data.exit must be a number")?;
    if !EXITS.contains(&exit) {
        return Err(format!("nobody knows exit {exit}"));
    }
    if ok != (exit == 0) {
        return Err(format!("ok is {ok} and exit is {exit}"));
    }
    match data.get("error") {
        None if exit <= 1 => Ok(()),
        None => Err(format!("exit {exit} without an error")),
        Some(_) if ok => Err("an error and ok".into()),
        Some(error) => {
            let error: Error =
                serde_json::from_value(error.clone()).map_err(|e| format!("data.error: {e}"))?;
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let good = !error.message.is_empty()
                && error.code.chars().all(kebab)
                && error.hint.as_deref() != Some("")
                && error.details != Some(Value::Null);
            if good {
                Ok(())
            } else {
                Err(format!("data.error is {error:?} (retryable {})", error.retryable))
            }
        }
    }
}

fn is_rfc3339_millis(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

fn check(text: &str) -> Result<usize, String> {
    let mut stream = Stream::default();
    for (n, line) in text.lines().enumerate() {
        stream.take(line).map_err(|e| format!("line {}: {e}\n{line}", n + 1))?;
    }
    match stream.open.last() {
        Some((tool, _)) => Err(format!("{tool} has no result")),
        None => Ok(text.lines().count()),
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "jsonl") {
            found.push(path);
        }
    }
    found.sort();
    found
}

const START: &str = r#"{"v":1,"ts":"2026-08-22T10:15:04.123Z","run":"r","tool":"tg-swap","type":"start","msg":"m","data":{}}"#;

fn with(kind: &str, data: &str) -> String {
    START.replace(r#""start""#, &format!("{kind:?}")).replace("{}", data)
}

#[test]
fn lines_that_keep_the_contract_pass() {
    let step = |state: &str| with("step", &format!(r#"{{"step":"a","state":"{state}","error":"e"}}"#));
    let end = with("result", r#"{"ok":true,"exit":0}"#);
    check(&[START.into(), step("started"), step("failed"), end].join("\n")).unwrap();
}

#[test]
fn every_breach_of_the_contract_is_seen() {
    let end = with("result", r#"{"ok":true,"exit":0}"#);
    for (why, lines) in [
        ("a field more", vec![START.replace("{}", "{}, \"more\": 1"), end.clone()]),
        ("no result", vec![START.into()]),
        ("no start", vec![end.clone()]),
        ("two results", vec![START.into(), end.clone(), end.clone()]),
        (
            "an outcome without its intent",
            vec![START.into(), with("step", r#"{"step":"a","state":"succeeded"}"#), end.clone()],
        ),
        (
            "an unknown state",
            vec![START.into(), with("step", r#"{"step":"a","state":"begun"}"#), end.clone()],
        ),
        ("a failure without a reason", vec![START.into(), with("result", r#"{"ok":false,"exit":3}"#)]),
        ("ok and exit disagree", vec![START.into(), with("result", r#"{"ok":true,"exit":4}"#)]),
        (
            "an exit that is in no table",
            vec![
                START.into(),
                with(
                    "result",
                    r#"{"ok":false,"exit":7,"error":{"code":"x","message":"m","hint":null,"retryable":false}}"#,
                ),
            ],
        ),
        ("another tool speaks in between", vec![START.into(), end.replace("tg-swap", "tg-backup")]),
        ("a time without milliseconds", vec![START.replace(".123Z", "Z"), end.clone()]),
    ] {
        assert!(check(&lines.join("\n")).is_err(), "{why}");
    }
}

#[test]
fn whatever_the_tools_printed_keeps_the_contract() {
    let Ok(directory) = std::env::var("TG_CONTRACT_DIR") else { return };
    let found = files(Path::new(&directory));
    assert!(!found.is_empty(), "no lines in {directory}");
    let mut broken = Vec::new();
    let mut lines = 0;
    for file in &found {
        match check(&std::fs::read_to_string(file).unwrap()) {
            Ok(count) => lines += count,
            Err(problem) => broken.push(format!("{}: {problem}", file.display())),
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(lines > 0, "{} files without a line", found.len());
}
