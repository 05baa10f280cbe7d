//! Drops the databases that restores replaced: from here on there is no undo.

use serde_json::json;
use tg_core::bytes::{size, unsigned};
use tg_core::{Answer, Session};

use crate::answer::changed;
use crate::belongings::{self, Belonging};
use crate::cli::{Cli, CommitOptions};
use crate::context::Context;
use crate::error::Error;
use crate::restore::recover;
use crate::undo::kept;

pub(crate) fn run(session: &Session, cli: &Cli, options: &CommitOptions) -> Result<Answer, Error> {
    let ctx = Context::open(session, cli, "commit", "dropping what restores replaced of")?;
    let turn = if ctx.dry_run { None } else { Some(ctx.begin()?) };
    let mut cluster = ctx.cluster()?;
    if turn.is_some() {
        recover(&ctx, &mut cluster)?;
    }
    let old = kept(&mut cluster, &ctx, &options.kept)?;
    let bytes: i64 = old.iter().map(|m| m.bytes).sum();
    for database in &old {
        let data = json!({
            "kind": "kept", "id": database.name, "bytes": database.bytes, "created": database.mark.created,
            "run": database.mark.run,
        });
        ctx.session.emit.record(&format!("{} ({})", database.name, size(unsigned(database.bytes))), data)?;
    }
    let mut all = Vec::new();
    for database in &old {
        let found = belongings::of(&mut cluster, &database.name)?;
        for belonging in &found {
            let msg = format!("{}: {}", database.name, belonging.describe());
            ctx.session.emit.record(&msg, belonging.data(&database.name))?;
        }
        all.push((database.name.as_str(), found));
    }
    belongings::judge(&all, &options.accept)?;
    if ctx.dry_run || old.is_empty() {
        let msg = format!("{} replaced databases are kept", old.len());
        return Ok(Answer::yes(
            msg,
            json!({"changed": false, "dry_run": ctx.dry_run, "databases": old.len(), "bytes": bytes}),
        ));
    }
    for (database, (_, belongings)) in old.iter().zip(&all) {
        let names: Vec<&str> = belongings.iter().map(|b: &Belonging| b.name.as_str()).collect();
        let intent = json!({"database": database.name, "oid": database.oid, "belongings": names});
        ctx.change("drop", &format!("drop {}", database.name), intent, || {
            belongings::release(&ctx, &mut cluster, &database.name, belongings)?;
            cluster.drop_database(&database.name)?;
            Ok(((), json!({"bytes": database.bytes})))
        })?;
    }
    let msg = format!("{} replaced databases dropped, {} freed", old.len(), size(unsigned(bytes)));
    changed(&ctx, "commit", msg, json!({"changed": true, "databases": old.len(), "bytes": bytes}))
}
