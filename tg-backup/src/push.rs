//! Copies backups to the store, and fetches them.

use serde_json::{Value, json};
use tg_core::backup::manifest::Manifest;
use tg_core::backup::store::Entry;
use tg_core::bytes::size;
use tg_core::{Answer, Session};

use crate::answer::changed;
use crate::catalog;
use crate::cli::{Cli, WhichBackup};
use crate::context::Context;
use crate::error::Error;
use crate::remote::{Place, Remote};
use crate::source::{self, Wanted};

/// Copies one backup, or all of this database that are not there yet.
pub(crate) fn push(session: &Session, cli: &Cli, which: &WhichBackup) -> Result<Answer, Error> {
    let ctx = Context::aside(session, cli, "push", "copying backups to the store of")?;
    let check = || session.check("copying to the store");
    let remote = Remote::of(&ctx, &check)?.ok_or(Error::NoStore)?;
    let wanted = (which.id.is_some() || which.run.is_some()).then(|| Wanted::of_backup(which));
    let waiting = match &wanted {
        Some(wanted) => vec![source::local(&ctx, wanted)?],
        None => waiting(&ctx)?,
    };
    let _lock = if ctx.dry_run { None } else { Some(session.begin_change(&ctx.state)?) };
    let mut bytes = 0;
    for (entry, manifest) in &waiting {
        let data = json!({"kind": "copy", "id": entry.id, "bytes": manifest.bytes()});
        session.emit.record(&format!("{} ({})", entry.id, size(manifest.bytes())), data)?;
        if !ctx.dry_run {
            bytes += one(&ctx, &remote, (entry, manifest))?;
        }
    }
    let data =
        json!({"changed": bytes > 0, "dry_run": ctx.dry_run, "backups": waiting.len(), "bytes": bytes});
    let msg = format!("{} backups copied, {}", waiting.len(), size(bytes));
    if bytes > 0 { changed(&ctx, "push", msg, data) } else { Ok(Answer::yes(msg, data)) }
}

/// What is here and not there.
fn waiting(ctx: &Context) -> Result<Vec<(Entry, Box<Manifest>)>, Error> {
    let all = catalog::merged(ctx.store.list(), catalog::stored(ctx)?);
    let ours = |b: &catalog::Backup| !b.stored && b.database() == Some(ctx.target.name.as_str());
    let pair = |b: catalog::Backup| Some((b.entry()?, b.manifest.ok()?));
    Ok(all.into_iter().filter(ours).filter_map(pair).collect())
}

/// One copy, journaled; bytes sent.
pub(crate) fn one(
    ctx: &Context,
    remote: &Remote,
    (entry, manifest): (&Entry, &Manifest),
) -> Result<u64, Error> {
    let intent = json!({"id": entry.id, "bytes": manifest.bytes()});
    ctx.change("push", &format!("copy {} to the store", entry.id), intent, || {
        let sent = remote.push(ctx, entry, manifest)?;
        Ok((sent, json!({"id": entry.id, "bytes": sent})))
    })
}

/// After a backup was made: copies it where there is a store.
pub(crate) fn made(ctx: &Context, backup: (&Entry, &Manifest)) -> Option<Result<Value, Error>> {
    let check = || ctx.session.check("copying to the store");
    let pushed = match Remote::of(ctx, &check) {
        Ok(None) => return None,
        Ok(Some(remote)) => one(ctx, &remote, backup),
        Err(error) => Err(error),
    };
    Some(pushed.map(|bytes| json!({"bytes": bytes})))
}

/// Brings a copy back into the directory.
pub(crate) fn fetch(session: &Session, cli: &Cli, which: &WhichBackup) -> Result<Answer, Error> {
    let ctx = Context::aside(session, cli, "fetch", "fetching a backup of")?;
    Place::of(session, &ctx.project)?.ok_or(Error::NoStore)?;
    let _lock = if ctx.dry_run { None } else { Some(session.begin_change(&ctx.state)?) };
    let found = source::anywhere(&ctx, &Wanted::of_backup(which))?;
    let here = found.local.is_some();
    if here || ctx.dry_run {
        let data = json!({"changed": false, "dry_run": ctx.dry_run, "id": found.id, "here": here});
        let msg = if here { "is here already" } else { "would be fetched" };
        return Ok(Answer::yes(format!("{} {msg}", found.id), data));
    }
    let (entry, manifest) = source::here(&ctx, found)?;
    let data = json!({"changed": true, "id": entry.id, "bytes": manifest.bytes()});
    changed(&ctx, "fetch", format!("{} fetched, {}", entry.id, size(manifest.bytes())), data)
}
