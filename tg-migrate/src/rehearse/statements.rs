//! The old release's own statements, prepared and planned on the old schema and on the new one: PostgreSQL itself
//! says which of them it refuses now, and which give something else.

use std::collections::{BTreeMap, BTreeSet};

use postgres::SimpleQueryMessage;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tg_core::database::Client;
use tg_core::database::ident;

use crate::error::MigrateError;

const STATEMENTS: &str = include_str!("../sql/statements.sql");
const THERE: &str =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements')";
/// No statement is longer, and none that was cut is one.
const LONGEST: usize = 100_000;

/// What was asked, and how often.
pub(super) type Statements = BTreeMap<String, i64>;

/// What PostgreSQL makes of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// Name and type of each column, type of each parameter.
    pub shape: Vec<String>,
    /// Relations that it reads, inserts into, changes.
    pub reads: BTreeSet<String>,
    pub inserts: BTreeSet<String>,
    pub writes: BTreeSet<String>,
}

/// A statement that the new schema refuses, or answers otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Witness {
    pub statement: String,
    pub calls: i64,
    pub problem: String,
}

/// What the old release's statements say of the new schema.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub refused: Vec<Witness>,
    /// Of another form: whoever holds them prepared, or reads `*`, must reconnect.
    pub reshaped: Vec<Witness>,
    /// Those that are good on both, with what they touch.
    pub good: Vec<(String, Form)>,
    pub all_calls: i64,
    pub known_calls: i64,
    pub statements: usize,
}

/// What a role has asked a database; nothing where nobody has counted.
pub(super) fn collect(client: &mut Client, role: &str, database: &str) -> Result<Statements, MigrateError> {
    if !client.query_one(THERE, &[])?.get::<_, bool>(0) {
        return Ok(Statements::new());
    }
    // The library may not be loaded, or the rights be missing: then nobody knows.
    let Ok(rows) = client.query(STATEMENTS, &[&role, &database]) else { return Ok(Statements::new()) };
    let pair = |row: &postgres::Row| (row.get::<_, String>(0), row.get(1));
    Ok(rows.iter().map(pair).filter(|(query, _)| query.len() < LONGEST).collect())
}

/// Every statement on both. One that even the old schema refuses says nothing: it was cut, or is no longer used.
pub(super) fn compare(
    old: &mut Client,
    new: &mut Client,
    role: &str,
    statements: &Statements,
) -> Result<Evidence, MigrateError> {
    for client in [&mut *old, &mut *new] {
        client.batch_execute(&format!(
            "SET SESSION AUTHORIZATION {}; SET plan_cache_mode = force_generic_plan; SET statement_timeout = '10s'",
            ident(role)
        ))?;
    }
    let mut evidence = Evidence { statements: statements.len(), ..Evidence::default() };
    for (number, (sql, &calls)) in statements.iter().enumerate() {
        evidence.all_calls += calls;
        let Ok(was) = form(old, number, sql) else { continue };
        evidence.known_calls += calls;
        let witness = |problem: String| Witness { statement: sql.clone(), calls, problem };
        match form(new, number, sql) {
            Err(problem) => evidence.refused.push(witness(problem)),
            Ok(is) => {
                if let Some((was, is)) = was.shape.iter().zip(&is.shape).find(|(was, is)| was != is) {
                    evidence.reshaped.push(witness(format!("{was} is {is} now")));
                } else if was.shape.len() != is.shape.len() {
                    evidence.reshaped.push(witness("it has other columns now".into()));
                }
                evidence.good.push((sql.clone(), was));
            }
        }
    }
    Ok(evidence)
}

/// Prepares and plans a statement; nothing of it is run.
fn form(client: &mut Client, number: usize, sql: &str) -> Result<Form, String> {
    let told = |error: tg_core::database::QueryError| error.to_string();
    let mut transaction = client.transaction().map_err(told)?;
    let prepared = transaction.prepare(sql).map_err(told)?;
    let columns = prepared.columns().iter().map(|c| format!("column {} {}", c.name(), c.type_()));
    let parameters =
        prepared.params().iter().enumerate().map(|(i, kind)| format!("parameter {} {kind}", i + 1));
    let mut form = Form { shape: columns.chain(parameters).collect(), ..Form::default() };
    let nulls = vec!["NULL"; prepared.params().len()].join(", ");
    let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
    // A prepared statement outlives a transaction that fails, so each has its own name.
    let name = format!("tg_probe_{number}");
    transaction.batch_execute(&format!("PREPARE {name} AS {sql}")).map_err(told)?;
    let explain = format!("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {name}{arguments}");
    let lines = transaction.simple_query(&explain).map_err(told)?;
    let text = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    let plan = lines.iter().filter_map(text).collect::<Vec<_>>().join("\n");
    touched(&serde_json::from_str(&plan).unwrap_or_default(), &mut form);
    transaction.rollback().map_err(told)?;
    Ok(form)
}

/// The relations of a plan, wherever they stand in it.
fn touched(plan: &Value, form: &mut Form) {
    match plan {
        Value::Array(all) => all.iter().for_each(|plan| touched(plan, form)),
        Value::Object(node) => {
            if let (Some(relation), Some(schema)) = (node.get("Relation Name"), node.get("Schema")) {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let name = format!("{}.{}", text(schema), text(relation));
                match node.get("Operation").and_then(Value::as_str) {
                    Some("Insert") => {
                        form.inserts.insert(name.clone());
                        form.writes.insert(name);
                    }
                    Some(_) => {
                        form.writes.insert(name);
                    }
                    None => {
                        form.reads.insert(name);
                    }
                }
            }
            node.values().for_each(|below| touched(below, form));
        }
        _ => {}
    }
}

impl Evidence {
    /// The part of all calls whose statements are known, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a part")]
    pub(super) fn coverage(&self) -> f64 {
        if self.all_calls == 0 { 0.0 } else { self.known_calls as f64 / self.all_calls as f64 }
    }

    /// A statement that does this with a relation.
    pub(super) fn user(&self, uses: impl Fn(&Form) -> bool) -> Option<&str> {
        self.good.iter().find(|(_, form)| uses(form)).map(|(sql, _)| sql.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_plan_touches_is_found_at_any_depth() {
        let plan = json!([{"Plan": {"Node Type": "ModifyTable", "Operation": "Insert", "Relation Name": "a", "Schema": "s",
            "Plans": [{"Node Type": "Seq Scan", "Relation Name": "b", "Schema": "s"}]}}]);
        let mut form = Form::default();
        touched(&plan, &mut form);
        assert_eq!((form.inserts.len(), form.writes.len()), (1, 1));
        assert_eq!(form.reads, BTreeSet::from(["s.b".to_owned()]));
    }
}
