//! The database: size and growth, connections, slow statements, replication and WAL.

use postgres::Row;
use serde_json::json;
use tg_core::database::Client;
use tg_core::database::Target;
use tg_core::{Error, bytes};

use super::before::Before;
use super::entry::{Entry, Severity, attention_if, note_if};

/// More than this part of the connections in use is too much.
const MOST_CONNECTIONS: f64 = 0.8;
/// A transaction that is open for longer holds back every VACUUM, s.
const LONG_S: f64 = 3600.0;
/// WAL that a slot or a standby may hold back, bytes.
const HELD: i64 = 1 << 30;
/// Transactions without a freeze, of the two thousand million that there can be.
const OLD: i64 = 1_000_000_000;
/// Of the reads fewer than this came from memory.
const FEW_HITS: f64 = 0.9;

/// What there is to tell of it, and its size in bytes. Each question may be refused for want of a privilege without the others being so.
pub(super) fn entries(
    target: &Target,
    before: &Before,
    full: bool,
    most: i64,
) -> Result<(Vec<Entry>, i64), Error> {
    let mut client = target.connect("tg-health", None)?;
    let mut entries = Vec::new();
    let server = client.query_one(include_str!("sql/server.sql"), &[])?;
    let size: i64 = server.get("bytes");
    entries.push(grown(size, before));
    entries.extend(health(&server));
    let mut unseen = Vec::new();
    let mut rows = |sql, section, entry: &dyn Fn(&Row) -> Entry| match ask(&mut client, sql, most) {
        Ok(rows) => entries.extend(rows.iter().map(entry)),
        Err(why) => entries.push(Entry::unseen(section, &why)),
    };
    // A question about what is not there would stand as an error in the server's log.
    if server.get("has_statements") {
        rows(include_str!("sql/statements.sql"), "statements", &statement);
    } else {
        unseen.push(Entry::unseen("statements", "the extension pg_stat_statements is not in this database"));
    }
    if !server.get::<_, bool>("standby") {
        rows(include_str!("sql/replication.sql"), "replication", &replication);
        rows(include_str!("sql/wal.sql"), "wal", &wal);
    }
    if full {
        rows(include_str!("sql/tables.sql"), "tables", &table);
        rows(include_str!("sql/unused.sql"), "indexes", &unused);
    }
    entries.extend(unseen);
    Ok((entries, size))
}

fn ask(client: &mut Client, sql: &str, most: i64) -> Result<Vec<Row>, String> {
    let parameters: &[&(dyn postgres::types::ToSql + Sync)] = if sql.contains("$1") { &[&most] } else { &[] };
    client.query(sql, parameters).map_err(|e| e.to_string())
}

fn size(value: i64) -> String {
    bytes::size(bytes::unsigned(value))
}

fn grown(now: i64, before: &Before) -> Entry {
    let growth = before.database.last().map(|(at, then)| (at.clone(), now - then));
    let words = match &growth {
        Some((at, by)) if *by >= 0 => format!(", {} more than at {at}", size(*by)),
        Some((at, by)) => format!(", {} less than at {at}", size(-by)),
        None => String::new(),
    };
    let facts = json!({"bytes": now, "grown": growth.map(|(_, by)| by), "before": before.database});
    Entry::new(
        "database",
        "database-size",
        Severity::Fine,
        format!("the database has {}{words}", size(now)),
        facts,
    )
}

#[expect(clippy::cast_precision_loss, reason = "counts of connections")]
fn health(row: &Row) -> Vec<Entry> {
    let entry = |code, severity, msg, facts| Entry::new("database", code, severity, msg, facts);
    let (used, most): (i64, i64) = (row.get("connections"), row.get("most"));
    let full = used as f64 > most as f64 * MOST_CONNECTIONS;
    let oldest = row.get::<_, Option<f64>>("oldest_s").unwrap_or(0.0);
    let frozen: i64 = row.get("frozen_age");
    let (deadlocks, temporary): (i64, i64) = (row.get("deadlocks"), row.get("temp_bytes"));
    let mut entries = vec![
        entry(
            "connections",
            attention_if(full),
            format!("{used} of {most} connections are in use"),
            json!({"used": used, "most": most, "active": row.get::<_, i64>("active")}),
        ),
        entry(
            "oldest-transaction",
            attention_if(oldest > LONG_S),
            format!("the oldest transaction is open for {oldest:.0} s"),
            json!({"seconds": oldest}),
        ),
        entry(
            "frozen-age",
            attention_if(frozen > OLD),
            format!("the oldest row was frozen {frozen} transactions ago"),
            json!({"transactions": frozen}),
        ),
        entry(
            "counters",
            note_if(deadlocks > 0),
            format!("{deadlocks} deadlocks, {} of temporary files since the counters began", size(temporary)),
            json!({"deadlocks": deadlocks, "temp_bytes": temporary}),
        ),
    ];
    if let Some(hits) = row.get::<_, Option<f64>>("cache_hits") {
        let msg = format!("{:.1} % of the reads came from memory", hits * 100.0);
        entries.push(entry("cache-hits", note_if(hits < FEW_HITS), msg, json!({"share": hits})));
    }
    entries
}

fn statement(row: &Row) -> Entry {
    let (calls, total, mean, max): (i64, f64, f64, f64) =
        (row.get("calls"), row.get("total_ms"), row.get("mean_ms"), row.get("max_ms"));
    let query: String = row.get("query");
    let msg = format!("{calls} times {mean:.1} ms: {query}");
    let facts = json!({"query": query, "calls": calls, "total_ms": total, "mean_ms": mean, "max_ms": max});
    Entry::new("statements", "statement", Severity::Fine, msg, facts)
}

fn replication(row: &Row) -> Entry {
    let (kind, name, active): (String, String, Option<bool>) =
        (row.get("kind"), row.get("name"), row.get("active"));
    let behind = row.get::<_, Option<i64>>("bytes").unwrap_or(0);
    let idle = active != Some(true);
    let word = if kind == "slot" { "holds back" } else { "is behind by" };
    let msg = format!(
        "{kind} {name} {word} {} of WAL{}",
        size(behind),
        if idle { ", and is not active" } else { "" }
    );
    let facts = json!({"kind": kind, "name": name, "active": !idle, "bytes": behind});
    Entry::new("replication", "replication", attention_if(idle || behind > HELD), msg, facts)
}

fn wal(row: &Row) -> Entry {
    let on_disk = row.get::<_, Option<i64>>("bytes").unwrap_or(0);
    let (archived, failed): (i64, i64) = (row.get("archived"), row.get("failed"));
    let failing = row.get::<_, Option<bool>>("failing") == Some(true);
    let word = if failing { "; the last one could not be archived" } else { "" };
    let msg = format!("{} of WAL on disk{word}", size(on_disk));
    let facts = json!({"bytes": on_disk, "archived": archived, "failed": failed, "failing": failing});
    Entry::new("replication", "wal", attention_if(failing), msg, facts)
}

fn table(row: &Row) -> Entry {
    let (name, total, rows, dead): (String, i64, i64, i64) =
        (row.get("name"), row.get("bytes"), row.get("rows"), row.get("dead"));
    let msg = format!("{name}: {}, about {rows} rows", size(total));
    Entry::new(
        "tables",
        "table",
        Severity::Fine,
        msg,
        json!({"table": name, "bytes": total, "rows": rows, "dead": dead}),
    )
}

fn unused(row: &Row) -> Entry {
    let (name, total): (String, i64) = (row.get("name"), row.get("bytes"));
    let msg = format!("no query has used {name} ({}) since the counters began", size(total));
    Entry::new("tables", "unused-index", Severity::Note, msg, json!({"index": name, "bytes": total}))
}
