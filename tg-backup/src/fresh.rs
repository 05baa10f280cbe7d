//! A fresh database made from a backup: complete and compared before anybody hears of it.

use std::collections::HashSet;

use serde_json::json;
use tg_core::backup::Database;
use tg_core::backup::Depth;
use tg_core::backup::Error as BackupError;
use tg_core::backup::manifest::Manifest;
use tg_core::backup::readable::Readable;
use tg_core::backup::store::Entry;
use tg_core::backup::{CONTENTS, DATA};
use tg_core::process;
use tg_core::sql::conninfo;
use tg_core::throwaway::{jobs, refusal};

use crate::bound;
use crate::clients::{self, Call};
use crate::cluster::{Cluster, comment};
use crate::compare::{changed_extensions, difference};
use crate::computed;
use crate::context::Context;
use crate::error::Error;
use crate::facts::{self, Facts, Table};
use crate::mark::{Mark, Marked};
use crate::names::Kind;
use crate::tally::Tally;

const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::bigint";
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
        empty(cluster, manifest, &name)?;
        cluster.execute(&comment(&name, Some(&mark.text())))?;
        like(ctx, &cluster.database(&name)?, manifest)?;
        fill(ctx, &files, manifest, &name)?;
        compare(ctx, &name, manifest, depth)?;
        cluster.execute_all(&manifest.database.finish(&name))?;
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

/// With its settings from the beginning, as pg_restore has it: they can decide what a value means.
fn empty(cluster: &mut Cluster, manifest: &Manifest, name: &str) -> Result<(), Error> {
    let version = i32::try_from(cluster.number(VERSION)?).unwrap_or_default();
    cluster.execute(&manifest.database.create(name, version))?;
    cluster.execute_all(&manifest.database.settings_for(name))
}

/// Whether an empty database keeps and sorts texts as the one that was backed up did.
pub(crate) fn like(ctx: &Context, is: &Database, manifest: &Manifest) -> Result<(), Error> {
    let was = &manifest.database;
    if let Some(difference) = is.other_texts_than(was) {
        return Err(Error::Differs(difference));
    }
    match (&is.collation_version, &was.collation_version) {
        (Some(is), Some(was)) if is != was => {
            let msg =
                format!("the collations are of version {is} and were of {was}: texts may sort otherwise");
            Ok(ctx.session.emit.warning("collation-changed", &msg, json!({"now": is, "was": was}))?)
        }
        _ => Ok(()),
    }
}

fn fill(ctx: &Context, files: &Readable, manifest: &Manifest, name: &str) -> Result<(), Error> {
    // Options in the connection string are all that count.
    let options = format!("{} {OPTIONS}", clients::Server::ask(ctx)?.options());
    let command = |at: &str| {
        [
            "pg_restore".into(),
            // Only then does it name what it could not restore.
            "--verbose".into(),
            "--format=directory".into(),
            format!("--jobs={}", jobs()),
            "--exit-on-error".into(),
            format!("--dbname={} options='{options}'", conninfo(name)),
            format!("{at}/{DATA}"),
        ]
        .into()
    };
    let judge = |code: i64, text: &str| {
        let (object, problem) = refusal(text, files.text(CONTENTS).as_deref(), &manifest.roles);
        let problem = problem.unwrap_or_else(|| process::tail(text));
        match object {
            Some(object) => {
                let way = bound::cure(&object, &manifest.database);
                Error::Object { object, problem, way }
            }
            None => Error::Client { program: "pg_restore".into(), code, problem },
        }
    };
    Call::reading("pg_restore", files, ctx, &command, &judge)
}

/// pg_restore's exit code does not prove that the rows are there: reading them does.
fn compare(ctx: &Context, name: &str, manifest: &Manifest, depth: Depth) -> Result<(), Error> {
    ctx.session.check("comparing with the manifest")?;
    let connect = || Ok(ctx.target.connect(crate::TOOL, Some(name))?);
    let was = manifest.facts();
    let restored = read(ctx, &connect, depth, &was)?;
    if let Some(difference) = difference(&restored, &was) {
        return Err(Error::Differs(difference));
    }
    computed::differences(&restored, &was).iter().try_for_each(|found| found.tell(ctx, "by the restore"))?;
    for (extension, was) in changed_extensions(&restored.extensions, &manifest.extensions) {
        let msg = format!("extension {} is {} now and was {was}", extension.name, extension.version);
        ctx.session.emit.warning("extension-version", &msg, json!({"extension": extension, "was": was}))?;
    }
    Ok(connect()?.batch_execute("ANALYZE")?)
}

/// Reads a database that nobody else writes to, in the way in which what it was was read.
pub(crate) fn read(
    ctx: &Context,
    connect: &(dyn Fn() -> Result<tg_core::database::Client, Error> + Sync),
    depth: Depth,
    was: &Facts,
) -> Result<Facts, Error> {
    let mut client = connect()?;
    let mut tables = facts::tables(&mut client)?;
    let whole: HashSet<String> = was.tables.iter().filter(|t| t.hash.is_some()).map(Table::quoted).collect();
    for table in &mut tables {
        table.whole = whole.contains(&table.quoted());
    }
    facts::sizes(&mut client, &mut tables)?;
    let mut views = facts::views(&mut client)?;
    let tally = Tally::new(connect, None, depth, jobs());
    let large_objects = tally.read(&mut tables)?;
    tally.views(ctx, &mut views)?;
    let (sequences, extensions) = (facts::sequences(&mut client)?, facts::extensions(&mut client)?);
    Ok(Facts { tables, sequences, extensions, large_objects, views })
}
