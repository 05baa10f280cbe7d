//! One table: intent, statement, outcome, and what it changed.

use std::time::Instant;

use postgres::error::SqlState;
use serde_json::{Value, json};
use tg_core::event::StepState;
use tg_core::{Error as CoreError, Session};

use crate::database::Database;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::plan::Action;
use crate::summary::Summary;
use crate::table::Table;
use crate::text;

/// What is known after the statement.
struct After {
    outcome: Outcome,
    /// Dead tuples; `None` where the server tells them too late to be true.
    dead: Option<i64>,
    /// Bytes; `None` when the table can't be opened.
    size: Option<i64>,
    duration_ms: u128,
}

/// Maintains one table; fails only when there is no use in going on.
pub(crate) fn maintain(
    session: &Session,
    database: &mut Database,
    table: &Table,
    action: Action,
    summary: &mut Summary,
) -> Result<(), Error> {
    let msg = format!("{} {}", action.name(), table.label());
    session.emit.step(action.name(), StepState::Started, &msg, Value::Object(table.names()))?;
    let after = execute(session, database, table, action, summary);
    let mut data = table.names();
    let state = match &after {
        Ok(After { outcome: Outcome::Done, .. }) => StepState::Succeeded,
        Ok(After { outcome: Outcome::Skipped(reason), .. }) => {
            data.insert("skipped".into(), json!(true));
            data.insert("error".into(), json!(reason));
            StepState::Failed
        }
        Ok(After { outcome: Outcome::Failed(reason), .. }) => {
            data.insert("error".into(), json!(reason));
            StepState::Failed
        }
        Err(error) => {
            data.insert("error".into(), json!(error.to_string()));
            StepState::Failed
        }
    };
    if let Ok(after) = &after {
        data.insert("duration_ms".into(), json!(after.duration_ms));
    }
    session.emit.step(action.name(), state, &msg, Value::Object(data))?;
    let after = after?;
    summary.count(table, action, &after.outcome);
    session.emit.record(&sentence(table, &after), record(table, action, &after))?;
    Ok(())
}

fn execute(
    session: &Session,
    database: &mut Database,
    table: &Table,
    action: Action,
    summary: &Summary,
) -> Result<After, Error> {
    if session.deadline.left().is_some() {
        database.limit(session)?;
    }
    let before = statistics(database, table);
    database.notices.take();
    let begun = Instant::now();
    let answer = database.client.batch_execute(&action.statement(table, database.server));
    let duration_ms = begun.elapsed().as_millis();
    let warnings = database.notices.take();
    if let Err(error) = &answer {
        let problem = tg_core::database::describe(error);
        if database.client.is_closed() || ends_the_session(error) {
            return Err(Error::Lost { problem, summary: summary.data() });
        }
        // Cancelled by our own statement_timeout: the backstop of the deadline.
        if session.deadline.passed() {
            let cause = session.deadline.error(&format!("{} {}", action.doing(), table.label()));
            return Err(Error::Stopped { cause, summary: summary.data() });
        }
    }
    let after = statistics(database, table);
    let counted = before.zip(after).map(|((count, _), (then, _))| then > count);
    let outcome = Outcome::of(answer.as_ref().copied(), &warnings, counted);
    // Asking for the size of a locked table would wait for that lock.
    let size = if outcome == Outcome::Done { size(database, table) } else { None };
    Ok(After { outcome, dead: after.map(|(_, dead)| dead), size, duration_ms })
}

/// Whether the server says goodbye; the client learns of the closed connection only later.
fn ends_the_session(error: &postgres::Error) -> bool {
    let farewells = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
    error.code().is_some_and(|code| farewells.contains(code))
}

/// How often the table was maintained, and its dead tuples; `None` where they come too late.
fn statistics(database: &mut Database, table: &Table) -> Option<(i64, i64)> {
    if !database.server.statistics_at_once() {
        return None;
    }
    let row = database.client.query_one(include_str!("sql/statistics.sql"), &[&table.oid]).ok()?;
    Some((row.try_get("done").ok()?, row.try_get("dead").ok()?))
}

fn size(database: &mut Database, table: &Table) -> Option<i64> {
    let row = database.client.query_one(include_str!("sql/size.sql"), &[&table.oid]).ok()?;
    row.try_get(0).ok()?
}

fn record(table: &Table, action: Action, after: &After) -> Value {
    let mut data = table.names();
    let facts = [
        ("action", json!(action.name())),
        ("dead_before", json!(table.dead)),
        ("dead_after", json!(after.dead)),
        ("size_before", json!(table.size)),
        ("size_after", json!(after.size)),
        ("duration_ms", json!(after.duration_ms)),
    ];
    data.extend(facts.map(|(key, value)| (key.to_owned(), value)));
    match &after.outcome {
        Outcome::Done => {}
        Outcome::Skipped(reason) => {
            data.insert("skipped".into(), json!(reason));
        }
        Outcome::Failed(reason) => {
            data.insert("failed".into(), json!(reason));
        }
    }
    Value::Object(data)
}

/// For people.
fn sentence(table: &Table, after: &After) -> String {
    let label = table.label();
    match &after.outcome {
        Outcome::Done => format!(
            "{label}: {} dead rows before, {} after; {} before, {} after",
            text::count(table.dead),
            after.dead.map_or_else(|| "?".into(), text::count),
            text::bytes(table.size),
            text::bytes(after.size),
        ),
        Outcome::Skipped(reason) => format!("{label}: left as it is: {reason}"),
        Outcome::Failed(reason) => format!("{label}: {reason}"),
    }
}

/// What a dry run says of one table.
pub(crate) fn preview(session: &Session, table: &Table, action: Action) -> Result<(), CoreError> {
    let msg = format!(
        "would {} {}: {} dead rows, {}",
        action.name(),
        table.label(),
        text::count(table.dead),
        text::bytes(table.size)
    );
    let mut data = table.names();
    let facts = [
        ("action", json!(action.name())),
        ("dead_before", json!(table.dead)),
        ("size_before", json!(table.size)),
        ("planned", json!(true)),
    ];
    data.extend(facts.map(|(key, value)| (key.to_owned(), value)));
    session.emit.record(&msg, Value::Object(data))
}
