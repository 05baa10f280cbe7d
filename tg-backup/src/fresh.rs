//! A fresh database made from a backup: complete and compared before anybody hears of it.

use serde_json::json;
use tg_core::backup::DATA;
use tg_core::backup::Depth;
use tg_core::backup::Error as BackupError;
use tg_core::backup::manifest::Manifest;
use tg_core::backup::readable::Readable;
use tg_core::backup::store::Entry;
use tg_core::sql::conninfo;
use tg_core::throwaway::jobs;

use crate::clients::Call;
use crate::cluster::{Cluster, comment};
use crate::compare::{changed_extensions, difference};
use crate::context::Context;
use crate::error::Error;
use crate::facts::{self, Facts};
use crate::mark::{Mark, Marked};
use crate::names::Kind;
use crate::tally::Tally;

/// Indexes are built in fewer passes; and that single statements are not made durable one by one loses
/// nothing, since the change of names at the end is, and all before it with it.
const OPTIONS: &str = "-c maintenance_work_mem=128MB -c synchronous_commit=off";

/// Every file as it was written, or nothing is restored from it.
pub(crate) fn check(ctx: &Context, entry: &Entry, manifest: &Manifest) -> Result<(), Error> {
    ctx.session.check("checking the backup's files")?;
    match manifest.damage(&entry.path) {
        Some((file, problem)) => Err(BackupError::Damaged { id: entry.id.clone(), file, problem }.into()),
        None => Ok(()),
    }
}

/// Restores into a new database; on any failure that is dropped again.
pub(crate) fn build(
    ctx: &Context,
    cluster: &mut Cluster,
    entry: &Entry,
    manifest: &Manifest,
    depth: Depth,
) -> Result<Marked, Error> {
    let files = ctx.readable(entry, manifest, None)?;
    let name = cluster.free_name(Kind::New, &ctx.target.name)?;
    let mut mark = Mark::new(Kind::New, &ctx.target.name, &ctx.session.run);
    mark.source = Some(entry.id.clone());
    mark.source_run = Some(manifest.run.clone());
    mark.comment.clone_from(&manifest.database.comment);
    let intent = json!({"id": entry.id, "database": name});
    let built = ctx.change("restore-data", &format!("restore {} into {name}", entry.id), intent, || {
        cluster.execute(&manifest.database.create(&name))?;
        cluster.execute(&comment(&name, Some(&mark.text())))?;
        fill(ctx, &files, &name)?;
        compare(ctx, &name, manifest, depth)?;
        cluster.execute_all(&manifest.database.dress(&name))?;
        let oid = cluster.find(&name)?.map(|(oid, _)| oid).ok_or_else(|| Error::NoDatabase(name.clone()))?;
        let bytes = cluster.database(&name)?.size_bytes;
        let data =
            json!({"database": name, "oid": oid, "bytes": bytes, "rows": manifest.rows(), "compared": depth});
        Ok((Marked { oid, name: name.clone(), bytes, mark: mark.clone() }, data))
    });
    if built.is_err() {
        // What can't be dropped now carries our mark or our name, and the next run drops it.
        let _ = ctx.cluster().and_then(|mut again| again.drop_database(&name));
    }
    built
}

fn fill(ctx: &Context, files: &Readable, name: &str) -> Result<(), Error> {
    let command = |at: &str| {
        [
            "pg_restore".into(),
            "--format=directory".into(),
            format!("--jobs={}", jobs()),
            "--exit-on-error".into(),
            format!("--dbname={} options='{OPTIONS}'", conninfo(name)),
            format!("{at}/{DATA}"),
        ]
        .into()
    };
    Call::reading("pg_restore", files, ctx, &command)
}

/// pg_restore's exit code does not prove that the rows are there: reading them does.
fn compare(ctx: &Context, name: &str, manifest: &Manifest, depth: Depth) -> Result<(), Error> {
    ctx.session.check("comparing with the manifest")?;
    let connect = || Ok(ctx.target.connect(crate::TOOL, Some(name))?);
    let restored = read(&connect, depth)?;
    if let Some(difference) = difference(&restored, &manifest.facts()) {
        return Err(Error::Differs(difference));
    }
    for (extension, was) in changed_extensions(&restored.extensions, &manifest.extensions) {
        let msg = format!("extension {} is {} now and was {was}", extension.name, extension.version);
        ctx.session.emit.warning("extension-version", &msg, json!({"extension": extension, "was": was}))?;
    }
    Ok(connect()?.batch_execute("ANALYZE")?)
}

/// Reads a database that nobody else writes to.
pub(crate) fn read(
    connect: &(dyn Fn() -> Result<tg_core::database::Client, Error> + Sync),
    depth: Depth,
) -> Result<Facts, Error> {
    let mut client = connect()?;
    let mut tables = facts::tables(&mut client)?;
    facts::sizes(&mut client, &mut tables)?;
    let large_objects = Tally::new(connect, None, depth, jobs()).read(&mut tables)?;
    let (sequences, extensions) = (facts::sequences(&mut client)?, facts::extensions(&mut client)?);
    Ok(Facts { tables, sequences, extensions, large_objects })
}
