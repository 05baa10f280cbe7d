//! Runs the real binary and reads what it says.

use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;

/// A finished run.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    pub(crate) fn result(&self) -> &Value {
        let last = self.lines.last().expect("a result");
        assert_eq!(last["type"], "result");
        assert_eq!(last["data"]["exit"], self.exit, "the result repeats the exit code");
        &last["data"]
    }

    pub(crate) fn record(&self) -> &Value {
        &self.lines.iter().rfind(|line| line["type"] == "record").expect("a record")["data"]
    }

    pub(crate) fn reason(&self) -> &str {
        self.record()["reason"].as_str().unwrap_or_default()
    }
}

pub(crate) fn health(words: &[&str]) -> Ran {
    let mut command: Command = assert_cmd::cargo::cargo_bin_cmd!("tg-health");
    for name in ["TG_HEALTH_TOKEN_FILE", "TG_HEALTH_URL", "TG_TIMEOUT", "TG_FORMAT", "TG_RUN_ID"] {
        command.env_remove(name);
    }
    // A proxy of the environment must not be asked.
    command.env("http_proxy", "http://127.0.0.1:9").env("ALL_PROXY", "http://127.0.0.1:9");
    let begun = Instant::now();
    let output = command.args(words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Ran {
        exit: output.status.code().unwrap(),
        lines: text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: begun.elapsed(),
    }
}
