//! Runs the real binary and reads what it says.

#![allow(dead_code, reason = "each test file uses another part")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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

/// The command, without what the environment of who runs the tests would add.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tg-health"));
    for name in ["TG_HEALTH_TOKEN_FILE", "TG_HEALTH_URL", "TG_TIMEOUT", "TG_FORMAT", "TG_RUN_ID"] {
        command.env_remove(name);
    }
    // A proxy of the environment must not be asked.
    command.env("http_proxy", "http://127.0.0.1:9").env("ALL_PROXY", "http://127.0.0.1:9");
    command.args(words);
    command
}

/// Runs it, and says how many kB of memory it took at most while it was looked at, every few milliseconds.
pub(crate) fn peak_of(words: &[&str]) -> (i32, u64) {
    let mut child = command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.split_whitespace().next()).and_then(|kb| kb.parse().ok());
        peak = peak.max(kb.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code().unwrap(), peak);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn health(words: &[&str]) -> Ran {
    let begun = Instant::now();
    let output = command(words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Ran {
        exit: output.status.code().unwrap(),
        lines: text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        took: begun.elapsed(),
    }
}
