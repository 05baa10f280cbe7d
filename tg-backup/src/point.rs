//! Rollback points: copies of the database's files inside its own server, made in about a second
//! per gigabyte and back by a change of names. A point lies on the same disk in the same cluster,
//! so it is no backup.

use std::time::{Duration, Instant};

use postgres::error::SqlState;
use serde_json::{Value, json};
use tg_core::backup::database::Database;
use tg_core::bytes::{size, unsigned};
use tg_core::database::ident;
use tg_core::{Answer, Session};

use crate::answer::{changed, unchanged};
use crate::cli::Cli;
use crate::cluster::{Cluster, comment};
use crate::context::Context;
use crate::error::Error;
use crate::mark::{Mark, Marked};
use crate::names::Kind;

/// What every record of a point says.
pub(crate) const NOTE: &str = "no backup: it is on the same disk, in the same cluster";
/// An application that was just stopped needs a moment to leave.
const PATIENCE: Duration = Duration::from_secs(8);
/// `STRATEGY` came with 15; before, copying files was the only way.
const STRATEGY_SINCE: i32 = 150_000;
/// Blocks are shared where the file system can do that (XFS, btrfs, ZFS), and copied inside the
/// kernel elsewhere.
const CLONE: &str = "SET file_copy_method = clone";
const CLONE_SINCE: i32 = 180_000;
const NEXT_XID: &str = "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint";

pub(crate) fn create(session: &Session, cli: &Cli) -> Result<Answer, Error> {
    let begun = Instant::now();
    let ctx = Context::open(session, cli, "point create", "making a rollback point of")?;
    let live = ctx.target.name.clone();
    if ctx.dry_run {
        return plan(&ctx);
    }
    let _turn = ctx.begin()?;
    let mut cluster = ctx.cluster()?;
    sweep(&ctx, &mut cluster)?;
    let points = points(&mut cluster, &live)?;
    if let Some(point) = points.iter().find(|p| ctx.session.joined && p.mark.run == ctx.session.run) {
        let msg = format!("rollback point {} of this run is there already", point.name);
        return unchanged(&ctx, "point", msg, summary(point, false, begun));
    }
    let database = cluster.database(&live)?;
    let point = copy(&ctx, &mut cluster, &database)?;
    drop_older(&ctx, &mut cluster, &points)?;
    tell(&ctx, &point)?;
    let msg = format!("rollback point {} ({}); {NOTE}", point.name, size(unsigned(point.bytes)));
    changed(&ctx, "point", msg, summary(&point, true, begun))
}

pub(crate) fn drop(session: &Session, cli: &Cli, id: Option<&str>) -> Result<Answer, Error> {
    let ctx = Context::open(session, cli, "point drop", "dropping rollback points of")?;
    let turn = if ctx.dry_run { None } else { Some(ctx.begin()?) };
    let mut cluster = ctx.cluster()?;
    let mut points = points(&mut cluster, &ctx.target.name)?;
    points.retain(|p| id.is_none_or(|id| p.name == id));
    if let (Some(id), true) = (id, points.is_empty()) {
        return Err(Error::NotFound(id.into()));
    }
    for point in &points {
        tell(&ctx, point)?;
        if turn.is_some() {
            drop_one(&ctx, &mut cluster, point)?;
        }
    }
    let data = json!({"changed": turn.is_some() && !points.is_empty(), "dry_run": ctx.dry_run, "points": points.len()});
    let msg = format!("{} rollback points dropped", points.len());
    if data["changed"] == true { changed(&ctx, "point-drop", msg, data) } else { Ok(Answer::yes(msg, data)) }
}

pub(crate) fn list(session: &Session, cli: &Cli) -> Result<Answer, Error> {
    let ctx = Context::open(session, cli, "point list", "rollback points of")?;
    let points = points(&mut ctx.cluster()?, &ctx.target.name)?;
    points.iter().rev().try_for_each(|point| tell(&ctx, point))?;
    let msg = format!("{} rollback points; {NOTE}", points.len());
    Ok(Answer::yes(msg, json!({"changed": false, "points": points.len()})))
}

/// The points of a database, oldest first.
pub(crate) fn points(cluster: &mut Cluster, of: &str) -> Result<Vec<Marked>, Error> {
    let mut points = cluster.marked(of)?;
    points.retain(|m| m.mark.tg == Kind::Point);
    // Their names tell the time of a clock, which may have been set back; the server only counts on.
    points.sort_by_key(|m| m.mark.xid);
    Ok(points)
}

/// A point as a row of the answer.
pub(crate) fn record(point: &Marked) -> Value {
    json!({
        "kind": "point", "id": point.name, "created": point.mark.created,
        "age_s": tg_core::clock::age_s(&point.mark.created), "bytes": point.bytes, "run": point.mark.run,
        "database": point.mark.of, "is_backup": false, "note": NOTE,
    })
}

fn plan(ctx: &Context) -> Result<Answer, Error> {
    let mut cluster = ctx.cluster()?;
    let database = cluster.database(&ctx.target.name)?;
    let sessions = cluster.await_empty(&database.name, Duration::ZERO)?;
    let msg = format!(
        "dry run: {} would be copied; {} sessions are in it now",
        size(unsigned(database.size_bytes)),
        sessions.len()
    );
    Ok(Answer::yes(
        msg,
        json!({"changed": false, "dry_run": true, "bytes": database.size_bytes, "sessions": sessions}),
    ))
}

/// Ends and drops what a killed run left half-made: a point without its mark may not be complete.
fn sweep(ctx: &Context, cluster: &mut Cluster) -> Result<(), Error> {
    let live = &ctx.target.name;
    cluster.end_makers(live)?;
    for name in cluster.unmarked(live)?.into_iter().filter(|name| Kind::Point.matches(name, live)) {
        ctx.session.emit.explain(&format!("dropping {name}, which a killed run left half-made"));
        cluster.drop_database(&name)?;
    }
    Ok(())
}

fn copy(ctx: &Context, cluster: &mut Cluster, database: &Database) -> Result<Marked, Error> {
    let name = cluster.free_name(Kind::Point, &database.name)?;
    let intent = json!({"database": database.name, "point": name});
    let made = ctx.change("point", &format!("copy {} to {name}", database.name), intent, || {
        let mut mark = Mark::new(Kind::Point, &database.name, &ctx.session.run);
        // Taken before the copy: a row that is written in between counts as lost rather than missed.
        mark.xid = Some(cluster.number(NEXT_XID)?);
        mark.comment.clone_from(&database.comment);
        copy_when_unused(ctx, cluster, database, &name)?;
        cluster.execute_all(&database.dress(&name))?;
        // The mark comes last: only it makes a point valid. It is the one transaction after this look.
        mark.quiet = Some(cluster.number(NEXT_XID)? + 1);
        cluster.execute(&comment(&name, Some(&mark.text())))?;
        let oid = cluster.find(&name)?.map(|(oid, _)| oid).ok_or_else(|| Error::NoDatabase(name.clone()))?;
        let data = json!({"point": name, "oid": oid, "xid": mark.xid, "bytes": database.size_bytes});
        Ok((Marked { oid, name: name.clone(), bytes: database.size_bytes, mark }, data))
    });
    if made.is_err() {
        // What can't be dropped now has our name without our mark, and the next run drops it.
        let _ = cluster.drop_database(&name);
    }
    made
}

/// The server copies only a database that nobody is in.
fn copy_when_unused(
    ctx: &Context,
    cluster: &mut Cluster,
    database: &Database,
    name: &str,
) -> Result<(), Error> {
    let strategy = if database.server_version_num >= STRATEGY_SINCE { " STRATEGY FILE_COPY" } else { "" };
    // Nobody, autovacuum neither, shall be in a point.
    let sql = format!(
        "CREATE DATABASE {} TEMPLATE {} ALLOW_CONNECTIONS false{strategy}",
        ident(name),
        ident(&database.name)
    );
    let mut cloning = database.server_version_num >= CLONE_SINCE;
    if cloning {
        cluster.execute(CLONE)?;
    }
    let begun = Instant::now();
    loop {
        ctx.session.check("waiting for the application to leave the database")?;
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let sessions = cluster.await_empty(&database.name, left)?;
        if !sessions.is_empty() {
            return Err(Error::InUse { database: database.name.clone(), sessions });
        }
        match cluster.execute(&sql) {
            Err(e) if e.code() == Some(&SqlState::OBJECT_IN_USE) && begun.elapsed() < PATIENCE => {}
            // The file system can't after all; nothing is left of the attempt.
            Err(_) if cloning => {
                cloning = false;
                cluster.execute("RESET file_copy_method")?;
            }
            result => return Ok(result?),
        }
    }
}

/// Keeps the newest of the earlier points besides the new one.
fn drop_older(ctx: &Context, cluster: &mut Cluster, earlier: &[Marked]) -> Result<(), Error> {
    let old = earlier.split_last().map_or(&[][..], |(_, old)| old);
    old.iter().try_for_each(|point| drop_one(ctx, cluster, point))
}

fn drop_one(ctx: &Context, cluster: &mut Cluster, point: &Marked) -> Result<(), Error> {
    let intent = json!({"point": point.name, "oid": point.oid, "run": point.mark.run});
    ctx.change("drop-point", &format!("drop rollback point {}", point.name), intent, || {
        cluster.drop_database(&point.name)?;
        Ok(((), json!({"point": point.name, "bytes": point.bytes})))
    })
}

fn tell(ctx: &Context, point: &Marked) -> Result<(), Error> {
    Ok(ctx.session.emit.record(&format!("{}: {NOTE}", point.name), record(point))?)
}

fn summary(point: &Marked, changed: bool, begun: Instant) -> Value {
    json!({
        "changed": changed, "id": point.name, "kind": "point", "created": point.mark.created,
        "bytes": point.bytes, "rows": null, "xid": point.mark.xid, "is_backup": false,
        "duration_ms": begun.elapsed().as_millis(),
    })
}
