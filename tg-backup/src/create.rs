//! Makes a backup.

use std::path::Path;
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use tg_core::{Answer, Session};

use crate::answer::{changed, size, unchanged, unsigned};
use crate::cli::{Cli, CreateOptions};
use crate::context::{Context, make_store};
use crate::error::Error;
use crate::manifest::{MANIFEST, Manifest};
use crate::store::{Entry, Partial};
use crate::{dump, names, preflight, publish};

pub(crate) fn run(session: &Session, cli: &Cli, options: &CreateOptions) -> Result<Answer, Error> {
    let begun = Instant::now();
    let ctx = Context::open(session, cli, "create", "backing up")?;
    if ctx.dry_run {
        return plan(&ctx);
    }
    let _lock = ctx.begin()?;
    if let Some(answer) = already(&ctx)? {
        return Ok(answer);
    }
    make_store(&ctx.store)?;
    sweep(&ctx)?;
    let database = preflight::run(&ctx)?;
    let (id, partial) = start(&ctx)?;
    let dumped = dump::run(&ctx, &partial.path, &database, options)?;
    let facts = publish::Facts { id: &id, database, dumped, begun };
    let (manifest, path) = publish::run(&ctx, partial, facts)?;
    let msg = sentence(&manifest, begun);
    changed(&ctx, "backup", msg, summary(&manifest, &path, true, begun))
}

fn plan(ctx: &Context) -> Result<Answer, Error> {
    let database = preflight::run(ctx)?;
    let data = json!({"changed": false, "dry_run": true, "size_bytes": database.size_bytes, "image": ctx.target.container.as_ref().map(|c| &c.image)});
    Ok(Answer::yes(
        format!("dry run: {} of {} would be backed up", size(unsigned(database.size_bytes)), database.name),
        data,
    ))
}

/// A step that is run again finds its backup, if that is still what it was.
fn already(ctx: &Context) -> Result<Option<Answer>, Error> {
    let begun = Instant::now();
    let found = ctx.session.joined.then(|| ctx.store.of_run(&ctx.session.run, &ctx.target.name)).flatten();
    let Some(Entry { id, path, manifest: Ok(manifest) }) = found else { return Ok(None) };
    if let Some((file, problem)) = manifest.damage(&path) {
        let msg = format!("backup {id} of this run is damaged: {file}: {problem}; making another one");
        ctx.session.emit.warning("damaged", &msg, json!({"id": id, "file": file}))?;
        return Ok(None);
    }
    let msg = format!("backup {id} of this run is there already and intact");
    unchanged(ctx, "backup", msg, summary(&manifest, &path, false, begun)).map(Some)
}

/// Clears away what killed runs left half-made.
fn sweep(ctx: &Context) -> Result<(), Error> {
    for name in ctx.store.sweep()? {
        ctx.session.emit.explain(&format!("removed {name}, which a killed run left"));
    }
    Ok(())
}

/// A directory under a name that no backup has.
fn start(ctx: &Context) -> Result<(String, Partial), Error> {
    let id = names::backup_id(SystemTime::now(), &ctx.target.name, &ctx.session.run);
    let taken = |id: &str| ctx.store.root().join(id).exists();
    let mut unique = id.clone();
    for n in 2.. {
        if !taken(&unique) {
            break;
        }
        unique = format!("{id}-{n}");
    }
    let partial = ctx.store.partial(&unique)?;
    Ok((unique, partial))
}

fn sentence(manifest: &Manifest, begun: Instant) -> String {
    format!(
        "backup {}: {} tables, {}{}, {:.1} s",
        manifest.id,
        manifest.tables.len(),
        manifest.rows().map_or(String::new(), |rows| format!("{rows} rows, ")),
        size(manifest.bytes()),
        begun.elapsed().as_secs_f64()
    )
}

fn summary(manifest: &Manifest, path: &Path, changed: bool, begun: Instant) -> Value {
    json!({
        "changed": changed, "id": manifest.id, "path": path, "manifest": path.join(MANIFEST),
        "database": manifest.database.name, "created": manifest.created, "bytes": manifest.bytes(),
        "rows": manifest.rows(), "tables": manifest.tables.len(), "compression": manifest.compression,
        "duration_ms": begun.elapsed().as_millis(),
    })
}
