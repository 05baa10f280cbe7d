//! What would hold a migration up, found before it begins and named.

use serde::Serialize;
use serde_json::{Value, json};
use tg_core::database::Client;
use tg_core::migrators::{self, State};
use tg_core::session::{Answer, Session};

use crate::cli::{Cli, PreflightOptions};
use crate::context::Context;
use crate::error::MigrateError;

const BLOCKERS: &str = include_str!("sql/blockers.sql");
const LEFTOVERS: &str = include_str!("sql/leftovers.sql");
/// Without it the state and the words of other roles' sessions are blank, and a filter on them drops them.
const SEES: &str = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'MEMBER') OR NOT EXISTS (\
    SELECT FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND usesysid <> (\
    SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user))";

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Weight {
    /// It should be known.
    Note,
    /// Nothing is migrated as long as it is there.
    Blocks,
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub code: String,
    pub weight: Weight,
    pub msg: String,
    pub facts: Value,
}

pub(crate) fn run(session: &Session, cli: &Cli, options: &PreflightOptions) -> Result<Answer, MigrateError> {
    let ctx = Context::open(session, cli)?;
    ctx.project.require(&ctx.project.migrate, "migrate")?;
    ctx.start("looking at what would hold up a migration of", "preflight", json!({}))?;
    let findings = find(&mut ctx.connect()?, options.blocker_age.as_secs())?;
    for finding in &findings {
        session.emit.record(&finding.msg, finding.data())?;
    }
    let blocking = findings.iter().filter(|f| f.weight == Weight::Blocks).count();
    let data = json!({"changed": false, "findings": findings.len(), "blocking": blocking});
    Ok(match (findings.len(), blocking) {
        (0, _) => Answer::yes("nothing would hold a migration up", data),
        (n, 0) => Answer::yes(format!("nothing would hold a migration up; {n} notes"), data),
        (_, n) => Answer::no(format!("{n} would hold a migration up"), data),
    })
}

/// Everything, the blocking first.
pub(crate) fn find(client: &mut Client, older_than_s: u64) -> Result<Vec<Finding>, MigrateError> {
    let mut all = blockers(client, older_than_s)?;
    all.extend(histories(client)?);
    all.extend(leftovers(client)?);
    if !client.query_one(SEES, &[])?.get::<_, bool>(0) {
        all.push(Finding {
            code: "blind".into(),
            weight: Weight::Note,
            msg: "what other roles' sessions do can't be seen: GRANT pg_read_all_stats TO this role".into(),
            facts: Value::Null,
        });
    }
    Ok(all)
}

fn blockers(client: &mut Client, older_than_s: u64) -> Result<Vec<Finding>, MigrateError> {
    let older_than = i64::try_from(older_than_s).unwrap_or(i64::MAX);
    let finding = |row: &postgres::Row| {
        let (pid, age): (Option<i32>, Option<i64>) = (row.get(1), row.get(2));
        let text = |i: usize| row.get::<_, Option<String>>(i);
        let (code, why) = (text(0).unwrap_or_default(), text(6).unwrap_or_default());
        let who = pid.map_or_else(|| text(5).unwrap_or_default(), |pid| format!("pid {pid}"));
        let whose =
            [text(3), text(4)].into_iter().flatten().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", ");
        let since = age.map_or(String::new(), |age| format!(", for {age} s"));
        Finding {
            msg: format!("{}: {who} ({whose}){since}: {why}", code.replace('-', " ")),
            facts: json!({"pid": pid, "age_s": age, "user": text(3), "application": text(4), "query": text(5)}),
            weight: Weight::Blocks,
            code,
        }
    };
    Ok(client.query(BLOCKERS, &[&older_than])?.iter().map(finding).collect())
}

fn leftovers(client: &mut Client) -> Result<Vec<Finding>, MigrateError> {
    let finding = |row: &postgres::Row| {
        let (code, object, why): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let msg = format!("{} {object}: {why}", code.replace('-', " "));
        Finding { code, weight: Weight::Note, msg, facts: json!({"object": object}) }
    };
    Ok(client.query(LEFTOVERS, &[])?.iter().map(finding).collect())
}

/// A migration that failed, and a lock that its holder has left.
fn histories(client: &mut Client) -> Result<Vec<Finding>, MigrateError> {
    let mut all = Vec::new();
    for table in migrators::tables(client)? {
        for entry in table.entries(client)? {
            let code = match entry.state {
                State::Failed => "failed-migration",
                State::Stuck => "stuck-lock",
                State::Applied | State::Skipped => continue,
            };
            let (tool, place) = (table.signature.tool, table.place());
            let msg = format!("{} of {tool} in {place}: {}", code.replace('-', " "), entry.name);
            let facts = json!({"migrator": tool, "table": place, "name": entry.name});
            all.push(Finding { code: code.into(), weight: Weight::Blocks, msg, facts });
        }
    }
    Ok(all)
}

impl Finding {
    /// As a record's data.
    pub(crate) fn data(&self) -> Value {
        let mut data = json!({"kind": "finding", "code": self.code, "weight": self.weight});
        if let (Some(data), Value::Object(facts)) = (data.as_object_mut(), self.facts.clone()) {
            data.extend(facts);
        }
        data
    }
}
