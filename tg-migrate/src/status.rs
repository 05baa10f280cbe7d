//! Says what migrators have written down of themselves: applied, failed, stuck.

use serde_json::json;
use tg_core::migrators::{self, State};
use tg_core::session::{Answer, Session};

use crate::cli::Cli;
use crate::context::Context;
use crate::error::MigrateError;

pub(crate) fn run(session: &Session, cli: &Cli) -> Result<Answer, MigrateError> {
    let ctx = Context::open(session, cli)?;
    ctx.start("reading the migrations of", "status", json!({}))?;
    let mut client = ctx.connect()?;
    let (mut applied, mut bad, mut last) = (0, Vec::new(), None);
    let tables = migrators::tables(&mut client)?;
    for table in &tables {
        for entry in table.entries(&mut client)? {
            let word = match entry.state {
                State::Applied => "applied",
                State::Failed => "failed",
                State::Stuck => "stuck",
                State::Skipped => "skipped",
            };
            session.emit.record(&format!("{word}: {}", entry.name), table.data(&entry))?;
            match entry.state {
                State::Applied => (applied, last) = (applied + 1, Some(entry.name)),
                State::Failed | State::Stuck => bad.push(format!("{word}: {}", entry.name)),
                State::Skipped => {}
            }
        }
    }
    let places: Vec<_> =
        tables.iter().map(|t| json!({"migrator": t.signature.tool, "table": t.place()})).collect();
    let data = json!({"changed": false, "histories": places, "applied": applied, "last": last, "bad": bad});
    let what = if tables.is_empty() {
        "no history of a migrator that is known".into()
    } else {
        format!("{applied} migrations applied")
    };
    if bad.is_empty() {
        return Ok(Answer::yes(what, data));
    }
    Ok(Answer::no(format!("{what}; {}", bad.join(", ")), data))
}
