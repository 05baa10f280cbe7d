//! Swaps the database that a restore replaced back in.

use std::time::Instant;

use serde_json::json;
use tg_core::{Answer, Session};

use crate::answer::{changed, unchanged};
use crate::belongings;
use crate::cli::{Cli, KeptOptions};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::Error;
use crate::mark::Marked;
use crate::names::Kind;
use crate::restore::recover;
use crate::swap::Swap;

const ACTION: &str = "undo";

pub(crate) fn run(session: &Session, cli: &Cli, options: &KeptOptions) -> Result<Answer, Error> {
    let begun = Instant::now();
    let ctx = Context::open(session, cli, ACTION, "undoing the last restore of")?;
    if ctx.dry_run {
        belongings::tell(&ctx, &mut ctx.cluster()?)?;
        let old = newest(&mut ctx.cluster()?, &ctx, options)?;
        let data = json!({"changed": false, "dry_run": true, "database": old.name});
        return Ok(Answer::yes(format!("dry run: {} would come back", old.name), data));
    }
    let _turn = ctx.begin()?;
    let mut cluster = ctx.cluster()?;
    recover(&ctx, &mut cluster)?;
    let old = newest(&mut cluster, &ctx, options)?;
    if ctx.session.joined && old.mark.run == ctx.session.run && old.mark.action.as_deref() == Some(ACTION) {
        return unchanged(&ctx, ACTION, "the restore was undone already", json!({"changed": false}));
    }
    belongings::tell(&ctx, &mut cluster)?;
    let swap = Swap {
        new: &old,
        action: ACTION,
        source: &old.name,
        source_run: old.mark.source_run.as_deref(),
        // What was written since the restore stays in the database that is kept.
        accepted: true,
    };
    let swapped = swap.perform(&ctx, &mut cluster, None)?;
    let data = json!({
        "changed": true, "database": old.name, "kept": swapped.kept, "closed_ms": swapped.closed_ms,
        "duration_ms": begun.elapsed().as_millis(),
    });
    let msg = format!(
        "the database from before the restore is back; connections were closed for {} ms",
        swapped.closed_ms
    );
    changed(&ctx, ACTION, msg, data)
}

fn newest(cluster: &mut Cluster, ctx: &Context, options: &KeptOptions) -> Result<Marked, Error> {
    let live = cluster.find(&ctx.target.name)?.map(|(oid, _)| oid);
    let mut kept = kept(cluster, ctx, options)?;
    // What the live database has replaced is the last one, whatever the clock was when it was named.
    let replaced = kept.iter().rposition(|m| live.is_some() && m.mark.replaced_by == live);
    let last = replaced.or(kept.len().checked_sub(1)).map(|i| kept.swap_remove(i));
    last.ok_or_else(|| Error::NothingKept(ctx.target.name.clone()))
}

/// The databases that swaps have replaced, oldest first.
pub(crate) fn kept(
    cluster: &mut Cluster,
    ctx: &Context,
    options: &KeptOptions,
) -> Result<Vec<Marked>, Error> {
    let mut kept = cluster.marked(&ctx.target.name)?;
    kept.retain(|m| m.mark.tg == Kind::Old);
    if let Some(run) = &options.run {
        kept.retain(|m| m.mark.run == *run || m.mark.source_run.as_ref() == Some(run));
    }
    // Two swaps of one second have names that go on counting, so names are in order.
    Ok(kept)
}
