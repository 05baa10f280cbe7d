//! Brings a backup or a rollback point back.

use std::time::Instant;

use serde_json::{Value, json};
use tg_core::backup::Depth;
use tg_core::backup::Method;
use tg_core::{Answer, Session, journal};

use crate::answer::{changed, unchanged};
use crate::baseline::Baseline;
use crate::belongings;
use crate::cli::{Cli, PointRestoreOptions, RestoreOptions};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::Error;
use crate::fresh;
use crate::loss::{self, Watch};
use crate::mark::Marked;
use crate::names::Kind;
use crate::source::{Source, Wanted};
use crate::swap::{self, Swap, Swapped};

pub(crate) fn run(session: &Session, cli: &Cli, options: &RestoreOptions) -> Result<Answer, Error> {
    let ctx = Context::open(session, cli, "restore", "restoring")?;
    brought_back(&ctx, options, &Wanted::from(options))
}

/// The same for rollback points alone.
pub(crate) fn point(session: &Session, cli: &Cli, options: &PointRestoreOptions) -> Result<Answer, Error> {
    let ctx = Context::open(session, cli, "point restore", "restoring")?;
    let wanted = Wanted::Point(options.id.clone());
    let options = RestoreOptions { accept_data_loss: options.accept_data_loss, ..RestoreOptions::default() };
    brought_back(&ctx, &options, &wanted)
}

fn brought_back(ctx: &Context, options: &RestoreOptions, wanted: &Wanted) -> Result<Answer, Error> {
    let begun = Instant::now();
    if ctx.dry_run {
        return plan(ctx, options, wanted);
    }
    let _turn = ctx.begin()?;
    let mut cluster = ctx.cluster()?;
    recover(ctx, &mut cluster)?;
    if let Some(source) = already(ctx, &mut cluster, wanted)? {
        let msg = format!("{source} was restored already");
        return unchanged(ctx, "restore", msg, json!({"changed": false, "id": source}));
    }
    let source = find(ctx, &mut cluster, options, wanted)?;
    let source = source.here(ctx)?;
    check(ctx, &source)?;
    belongings::tell(ctx, &mut cluster)?;
    let (mut watch, first) = look(ctx, &mut cluster, options, &source)?;
    if options.if_changed && watch.as_ref().is_some_and(Watch::is_untouched) {
        let msg = format!("nothing was written since {} was made", source.id());
        return unchanged(ctx, "restore", msg, json!({"changed": false, "id": source.id()}));
    }
    let new = prepare(ctx, &mut cluster, &source)?;
    let is_point = matches!(source, Source::Point(_));
    let restored = last_look(ctx, watch.as_mut(), (is_point, first), options).and_then(|lost| {
        let swap = Swap {
            new: &new,
            action: "restore",
            source: source.id(),
            source_run: Some(source.run()),
            accepted: options.accept_data_loss,
        };
        Ok((swap.perform(ctx, &mut cluster, watch)?, lost))
    });
    let (swapped, lost) = restored.inspect_err(|_| discard(ctx, &new))?;
    let msg = format!("{} was restored; connections were closed for {} ms", source.id(), swapped.closed_ms);
    changed(ctx, "restore", msg, summary(&source, &new, &swapped, lost, begun))
}

/// What is wanted; where only a change is to be undone, the rollback point, since no backup can tell whether there was one.
fn find(
    ctx: &Context,
    cluster: &mut Cluster,
    options: &RestoreOptions,
    wanted: &Wanted,
) -> Result<Source, Error> {
    match Source::find(ctx, cluster, wanted)? {
        Source::Backup(backup, _) if options.if_changed => Err(Error::NotFound(format!(
            "{}: there is no rollback point, only backup {}",
            wanted.describe(),
            backup.id
        ))),
        source => Ok(source),
    }
}

/// The same questions without an answer's consequences.
fn plan(ctx: &Context, options: &RestoreOptions, wanted: &Wanted) -> Result<Answer, Error> {
    let mut cluster = ctx.cluster()?;
    if let Some(source) = already(ctx, &mut cluster, wanted)? {
        let data = json!({"changed": false, "dry_run": true, "id": source});
        return Ok(Answer::yes(format!("dry run: {source} was restored already"), data));
    }
    let source = find(ctx, &mut cluster, options, wanted)?;
    check(ctx, &source)?;
    belongings::tell(ctx, &mut cluster)?;
    let (_, lost) = look(ctx, &mut cluster, options, &source)?;
    let data = json!({"changed": false, "dry_run": true, "id": source.id(), "rows_lost": lost});
    Ok(Answer::yes(format!("dry run: {} would be restored", source.id()), data))
}

/// Takes back what a killed run left: a closed database, and fresh ones that are no longer wanted.
pub(crate) fn recover(ctx: &Context, cluster: &mut Cluster) -> Result<(), Error> {
    let live = &ctx.target.name;
    if cluster.reopen(live)? {
        let msg = format!("{live} was left closed by a killed swap and takes connections again");
        ctx.session.emit.warning("reopened", &msg, json!({"database": live}))?;
    }
    let fresh = cluster.marked(live)?.into_iter().filter(|m| m.mark.tg == Kind::New).map(|m| m.name);
    let half = cluster.unmarked(live)?.into_iter().filter(|name| Kind::New.matches(name, live));
    for name in fresh.chain(half).collect::<Vec<_>>() {
        ctx.session.emit.explain(&format!("dropping {name}, which a killed run left"));
        cluster.drop_database(&name)?;
    }
    Ok(())
}

/// Whether what is wanted is live already: the replaced database says by what it was replaced, and
/// after a commit the journal of the run does.
fn already(ctx: &Context, cluster: &mut Cluster, wanted: &Wanted) -> Result<Option<String>, Error> {
    let live = &ctx.target.name;
    let Some((oid, _)) = cluster.find(live)? else { return Ok(None) };
    let run = &ctx.session.run;
    for kept in cluster.marked(live)? {
        let mark = kept.mark;
        let (source, of) = (mark.source.unwrap_or_default(), mark.source_run.unwrap_or_default());
        let by_restore = mark.replaced_by == Some(oid) && mark.action.as_deref() == Some("restore");
        // A point can come back once; a backup may be wanted again by another run.
        let consumed = Kind::Point.matches(&source, live) && !matches!(wanted, Wanted::Latest);
        let once = mark.run == *run || consumed;
        if by_restore && once && wanted.matches(&source, &of) {
            return Ok(Some(source));
        }
    }
    let steps = if ctx.session.joined { journal::steps(&ctx.state, run)? } else { Vec::new() };
    let intent = journal::find(&steps, swap::STEP, "started", true);
    let text = |intent: &Value, key: &str| intent[key].as_str().unwrap_or_default().to_owned();
    Ok(intent
        .filter(|i| i["new_oid"] == oid && i["action"] == "restore")
        .filter(|i| wanted.matches(&text(i, "source"), &text(i, "source_run")))
        .map(|i| text(i, "source")))
}

/// A backup must be what it was; a point is the server's own data.
fn check(ctx: &Context, source: &Source) -> Result<(), Error> {
    match source {
        Source::Point(_) => Ok(()),
        Source::Backup(backup, manifest) if manifest.method != Method::Dump => {
            Err(Error::WholeServer(backup.id.clone()))
        }
        Source::Backup(backup, manifest) => {
            if manifest.database.name != ctx.target.name {
                let msg = format!("{} is a backup of {}", backup.id, manifest.database.name);
                ctx.session.emit.warning(
                    "other-database",
                    &msg,
                    json!({"database": manifest.database.name}),
                )?;
            }
            if let Some(proof) = backup.verification.as_ref().filter(|proof| !proof.bound.is_empty()) {
                let (database, extensions) = (manifest.database.name.clone(), proof.bound.clone());
                return Err(Error::Bound { database, extensions });
            }
            // One in the store is checked when it has been fetched.
            backup.entry().map_or(Ok(()), |entry| fresh::check(ctx, &entry, manifest))
        }
    }
}

/// What would be lost, before any work is done for it; nothing where there is no live database.
fn look(
    ctx: &Context,
    cluster: &mut Cluster,
    options: &RestoreOptions,
    source: &Source,
) -> Result<(Option<Watch>, i64), Error> {
    let live = match cluster.database(&ctx.target.name) {
        Err(Error::NoDatabase(_)) => return Ok((None, 0)),
        live => live?,
    };
    let opened =
        Watch::open(ctx, |client, next| Baseline::find(ctx, client, options.since_xid, source, &live, next));
    let mut watch = match opened {
        Err(Error::TooLongAgo(_)) if options.accept_data_loss => return Ok((None, 0)),
        opened => opened?,
    };
    let lost = loss::judge(ctx, &watch.look()?, options.accept_data_loss)?;
    Ok((Some(watch), lost))
}

/// The restore itself may have taken long, and has written: looks once more before anything is closed.
/// With a point there was nothing to do.
fn last_look(
    ctx: &Context,
    watch: Option<&mut Watch>,
    (point, first): (bool, i64),
    options: &RestoreOptions,
) -> Result<i64, Error> {
    let Some(watch) = watch else { return Ok(0) };
    if point && !watch.touched(0)? {
        return Ok(first);
    }
    let lost = watch.look()?;
    if options.accept_data_loss {
        return Ok(lost.iter().map(|l| l.rows).sum());
    }
    loss::judge(ctx, &lost, false)
}

fn prepare(ctx: &Context, cluster: &mut Cluster, source: &Source) -> Result<Marked, Error> {
    match source {
        Source::Point(point) => Ok(point.clone()),
        Source::Backup(backup, manifest) => {
            let entry = backup.entry().ok_or_else(|| Error::NotFound(backup.id.clone()))?;
            let _read = entry.hold()?;
            // Of a proven backup the content is known to come back: the time is better spent on serving.
            let depth = if backup.verified() { Depth::Count } else { Depth::Full }.min(manifest.depth());
            fresh::build(ctx, cluster, &entry, manifest, depth)
        }
    }
}

/// A fresh database that is not wanted after all; a point stays.
fn discard(ctx: &Context, new: &Marked) {
    if new.mark.tg == Kind::New {
        // What can't be dropped now carries our mark, and the next run drops it.
        let _ = ctx.cluster().and_then(|mut cluster| cluster.drop_database(&new.name));
    }
}

fn summary(source: &Source, new: &Marked, swapped: &Swapped, lost: i64, begun: Instant) -> Value {
    let (kind, rows) = match source {
        Source::Point(_) => ("point", Value::Null),
        Source::Backup(_, manifest) => ("backup", json!(manifest.rows())),
    };
    json!({
        "changed": true, "id": source.id(), "kind": kind, "source_run": source.run(), "bytes": new.bytes,
        "rows": rows, "rows_lost": lost, "kept": swapped.kept, "closed_ms": swapped.closed_ms,
        "duration_ms": begun.elapsed().as_millis(),
    })
}
