//! What the rehearsal's server has told of a migration: its commands, locks, rewrites, drops.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) const INSTALL: &str = include_str!("../sql/trace.sql");
const PREFIX: &str = "tg-trace ";
/// With log_connections, in the words of the server's own language, which is C.
const LOGGED_IN: &str = "connection authorized: ";

/// A command that changes the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Counted from 1.
    pub n: u64,
    /// Such as `ALTER TABLE`.
    pub tag: String,
    pub query: String,
    /// Whether it builds, or drops, while the table stays in use.
    pub concurrently: bool,
    /// What it made or changed.
    pub objects: Vec<String>,
    pub dropped: Vec<String>,
    /// Relations that it wrote anew, with their bytes.
    pub rewritten: BTreeMap<String, u64>,
    /// The strong locks on relations that were there before, by its end; those of its whole transaction.
    pub locks: BTreeMap<String, String>,
}

/// All of them in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub steps: Vec<Step>,
}

/// A line of the server's log, as `log_destination = jsonlog` writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct LogLine {
    pub user: String,
    pub dbname: String,
    pub pid: i64,
    pub error_severity: String,
    pub state_code: String,
    pub message: String,
    pub statement: String,
    pub application_name: String,
    pub backend_type: String,
}

impl LogLine {
    /// Whether it tells that somebody has logged in, under another name than this.
    pub(super) fn begins_session(&self, ours: &str) -> bool {
        self.message.starts_with(LOGGED_IN) && !self.message.contains(&format!("application_name={ours}"))
    }
}

/// The lines of a log, without what can't be read of it.
pub(super) fn lines(log: &str) -> Vec<LogLine> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

impl Trace {
    /// From the log of one run, with the names of the relations that were there before it.
    pub(super) fn read(log: &[LogLine], names: &HashMap<i64, String>) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        // A command's lines are those of its session from its beginning to the next one's.
        let mut current: HashMap<i64, usize> = HashMap::new();
        for line in log {
            let Some(event) = line.message.strip_prefix(PREFIX) else { continue };
            let Ok(event) = serde_json::from_str::<Value>(event) else { continue };
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            if event["event"] == "begins" {
                let query = text("query");
                let concurrently = query.to_lowercase().contains("concurrently");
                current.insert(line.pid, steps.len());
                let n = event["n"].as_u64().unwrap_or(0);
                steps.push(Step { n, tag: text("tag"), query, concurrently, ..Step::default() });
                continue;
            }
            let Some(step) = current.get(&line.pid).map(|&i| &mut steps[i]) else { continue };
            let objects = |key: &str| {
                let all = event[key].as_array().into_iter().flatten();
                all.filter_map(|o| Some(format!("{} {}", o["type"].as_str()?, o["name"].as_str()?)))
                    .collect::<Vec<_>>()
            };
            match event["event"].as_str() {
                Some("ends") => {
                    step.objects.extend(objects("objects"));
                    for lock in event["locks"].as_array().into_iter().flatten() {
                        let name = lock["relation"].as_i64().and_then(|oid| names.get(&oid));
                        if let (Some(name), Some(mode)) = (name, lock["mode"].as_str()) {
                            let known = step.locks.entry(name.clone()).or_default();
                            if strength(mode) > strength(known) {
                                mode.clone_into(known);
                            }
                        }
                    }
                }
                Some("rewrites") => {
                    if let Some(name) = event["relation"].as_i64().and_then(|oid| names.get(&oid)) {
                        step.rewritten.insert(name.clone(), event["bytes"].as_u64().unwrap_or(0));
                    }
                }
                Some("drops") => step.dropped.extend(objects("objects")),
                _ => {}
            }
        }
        Trace { steps }
    }

    /// Bytes of all relations that are written anew.
    pub(crate) fn rewritten_bytes(&self) -> u64 {
        self.steps.iter().flat_map(|step| step.rewritten.values()).sum()
    }
}

/// PostgreSQL's modes from the weakest to the strongest; nothing is weaker than all.
pub(super) fn strength(mode: &str) -> usize {
    const MODES: [&str; 8] = [
        "AccessShare",
        "RowShare",
        "RowExclusive",
        "ShareUpdateExclusive",
        "Share",
        "ShareRowExclusive",
        "Exclusive",
        "AccessExclusive",
    ];
    MODES.iter().position(|known| *known == mode).map_or(0, |i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(pid: i64, event: &Value) -> LogLine {
        LogLine { pid, message: format!("{PREFIX}{event}"), ..LogLine::default() }
    }

    #[test]
    fn only_the_sessions_of_others_are_counted() {
        let line = |message: &str| LogLine { message: message.into(), ..LogLine::default() };
        let begins = |message: &str| line(message).begins_session("tg-migrate-rehearse");
        assert!(begins("connection authorized: user=app database=app application_name=node"));
        assert!(begins("connection authorized: user=app database=app"));
        assert!(!begins(
            "connection authorized: user=postgres database=app application_name=tg-migrate-rehearse"
        ));
        assert!(!begins("connection received: host=[local]"));
    }

    #[test]
    fn a_command_has_what_its_own_session_said_until_the_next_one() {
        let log = [
            line(1, &json!({"event": "begins", "n": 1, "tag": "ALTER TABLE", "query": "ALTER TABLE t ..."})),
            line(
                2,
                &json!({"event": "begins", "n": 2, "tag": "CREATE INDEX", "query": "create index concurrently i"}),
            ),
            line(1, &json!({"event": "rewrites", "relation": 7, "bytes": 100})),
            line(
                1,
                &json!({"event": "ends", "objects": [{"type": "table", "name": "public.t"}],
                "locks": [{"relation": 7, "mode": "ShareRowExclusive"}, {"relation": 7, "mode": "AccessExclusive"}, {"relation": 9, "mode": "Share"}]}),
            ),
            LogLine { message: "connection received".into(), ..LogLine::default() },
        ];
        let trace = Trace::read(&log, &HashMap::from([(7, "public.t".to_owned())]));
        assert_eq!(trace.steps.len(), 2);
        let first = &trace.steps[0];
        assert_eq!(first.objects, ["table public.t"]);
        assert_eq!(
            first.locks,
            BTreeMap::from([("public.t".into(), "AccessExclusive".into())]),
            "new ones don't count"
        );
        assert_eq!(trace.rewritten_bytes(), 100);
        assert!(!first.concurrently && trace.steps[1].concurrently);
    }
}
