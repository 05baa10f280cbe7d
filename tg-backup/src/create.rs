//! Makes a backup.

use std::path::Path;
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use tg_core::backup::Depth;
use tg_core::backup::Method;
use tg_core::backup::crypt::Recipients;
use tg_core::backup::database::Database;
use tg_core::backup::manifest::{MANIFEST, Manifest};
use tg_core::backup::output::Output;
use tg_core::backup::store::{Entry, Partial};
use tg_core::bytes::{size, unsigned};
use tg_core::ours::Turn;
use tg_core::thread::joined;
use tg_core::{Answer, Session};

use crate::answer::{changed, unchanged};
use crate::cli::{Cli, CreateOptions};
use crate::context::{Context, make_store};
use crate::error::Error;
use crate::remote::Place;
use crate::verify::{self, Server};
use crate::{dump, names, physical, preflight, publish, push, way_back};

pub(crate) fn run(session: &Session, cli: &Cli, options: &CreateOptions) -> Result<Answer, Error> {
    let begun = Instant::now();
    let ctx = Context::open(session, cli, "create", "backing up")?;
    // What a later step would stumble over shall be known now.
    let mut recipients = Recipients::of(&ctx.project)?;
    Place::of(session, &ctx.project)?;
    if ctx.dry_run {
        return plan(&ctx);
    }
    let turn = ctx.begin()?;
    if let Some((entry, manifest)) = already(&ctx)? {
        return again(&ctx, turn, (&entry, &manifest), options);
    }
    make_store(&ctx.store)?;
    sweep(&ctx)?;
    let database = preflight::run(&ctx)?;
    way_back::tell(&ctx, &database)?;
    let method = method(&ctx, options)?;
    let at = SystemTime::now();
    let (id, partial) = start(&ctx, at)?;
    let names = recipients.as_ref().map(Recipients::names).unwrap_or_default();
    // What proves it must read it, and nobody on this host can later.
    let ephemeral = recipients.as_mut().filter(|_| options.verify).map(Recipients::with_ephemeral);
    let output = Output::open(&partial.path, recipients.as_ref())?;
    let (taken, server) = std::thread::scope(|scope| {
        let server = options.verify.then(|| scope.spawn(|| server(&ctx, &database, method, options)));
        let taken = match method {
            Method::Dump => dump::run(&ctx, &output, &database, options),
            Method::Basebackup => physical::basebackup::run(&ctx, &output, &database, options),
            Method::Pgbackrest => physical::pgbackrest::run(&ctx, &output, &id, options),
        };
        (taken, server.map(joined))
    });
    let facts = publish::Facts { id: &id, database, taken: taken?, at, begun, recipients: names };
    let (manifest, path) = publish::run(&ctx, partial, facts)?;
    if method == Method::Pgbackrest {
        physical::pgbackrest::forget_expired(&ctx)?;
    }
    let made = changed(&ctx, "backup", sentence(&manifest, begun), summary(&manifest, &path, true, begun))?;
    // The project is free again: neither a proof nor a copy changes anything of it.
    drop(turn);
    let entry = Entry { id, path, manifest: Ok(Box::new(manifest.clone())) };
    let backup = (&entry, &manifest);
    let proof = server.map(|server| verify::made(&ctx, server, backup, ephemeral.as_ref()));
    all_in_all(made, &entry.id, proof, push::made(&ctx, backup))
}

/// The flag, else `backup_method`, else a dump.
fn method(ctx: &Context, options: &CreateOptions) -> Result<Method, Error> {
    let known = |text: &str| <Method as clap::ValueEnum>::from_str(text, false);
    let set = ctx.project.settings().get(options.method, "backup_method", known)?.unwrap_or_default();
    if options.incremental && set == Method::Dump {
        return Err(Error::NoIncremental("a dump is always whole".into()));
    }
    Ok(set)
}

/// How much is kept of each table where nobody says it: reading and hashing a row takes about as long
/// as dumping it, which costs nothing on a processor that the dump's workers leave idle.
pub(crate) fn depth(ctx: &Context, options: &CreateOptions, workers: usize) -> Result<Depth, Error> {
    let known = |text: &str| <Depth as clap::ValueEnum>::from_str(text, false);
    let set = ctx.project.settings().get(options.tables_hash, "tables_hash", known)?;
    let idle = std::thread::available_parallelism().is_ok_and(|processors| processors.get() > workers);
    Ok(set.unwrap_or(if options.verify || idle { Depth::Full } else { Depth::Count }))
}

/// A server for the proof, of the image that makes the backup.
fn server<'a>(
    ctx: &'a Context,
    database: &Database,
    method: Method,
    options: &CreateOptions,
) -> Result<Server<'a>, Error> {
    let container = ctx.target.container.as_ref().ok_or(Error::NoImage)?;
    Server::start(ctx, database, method, &container.image_id, options.memory)
}

fn plan(ctx: &Context) -> Result<Answer, Error> {
    let database = preflight::run(ctx)?;
    let obstacles = way_back::tell(ctx, &database)?;
    let data = json!({
        "changed": false, "dry_run": true, "size_bytes": database.size_bytes,
        "image": ctx.target.container.as_ref().map(|c| &c.image),
        "way_back": obstacles.iter().map(way_back::data).collect::<Vec<_>>(),
    });
    if let Some(first) = obstacles.first() {
        return Ok(Answer::no(
            format!("a backup could be made, but not be restored: {}; {}", first.msg, first.cure),
            data,
        ));
    }
    Ok(Answer::yes(
        format!("dry run: {} of {} would be backed up", size(unsigned(database.size_bytes)), database.name),
        data,
    ))
}

/// A step that is run again finds its backup, if that is still what it was.
fn already(ctx: &Context) -> Result<Option<(Entry, Box<Manifest>)>, Error> {
    let found = ctx.session.joined.then(|| ctx.store.of_run(&ctx.session.run, &ctx.target.name)).flatten();
    let Some(entry) = found else { return Ok(None) };
    let Ok(manifest) = entry.manifest.clone() else { return Ok(None) };
    if let Some((file, problem)) = manifest.damage(&entry.path) {
        let msg =
            format!("backup {} of this run is damaged: {file}: {problem}; making another one", entry.id);
        ctx.session.emit.warning("damaged", &msg, json!({"id": entry.id, "file": file}))?;
        return Ok(None);
    }
    Ok(Some((entry, manifest)))
}

/// The backup is there; its proof may be missing.
fn again(
    ctx: &Context,
    turn: Turn,
    (entry, manifest): (&Entry, &Manifest),
    options: &CreateOptions,
) -> Result<Answer, Error> {
    let msg = format!("backup {} of this run is there already and intact", entry.id);
    let made = unchanged(ctx, "backup", msg, summary(manifest, &entry.path, false, Instant::now()))?;
    drop(turn);
    let proven = entry.verification().is_some_and(|proof| proof.is_good());
    let proof = (options.verify && !proven).then(|| {
        let server = server(ctx, &manifest.database, manifest.method, options);
        verify::made(ctx, server, (entry, manifest), None)
    });
    all_in_all(made, &entry.id, proof, push::made(ctx, (entry, manifest)))
}

/// The backup is there whatever came of its proof and its copy; the worst of the three is the end.
fn all_in_all(
    made: Answer,
    id: &str,
    proof: Option<Result<Answer, Error>>,
    copy: Option<Result<Value, Error>>,
) -> Result<Answer, Error> {
    let Answer { mut exit, mut msg, mut data } = made;
    let (proof, copy) = (proof.transpose(), copy.transpose());
    if let Ok(Some(copied)) = &copy {
        data["copied"] = copied.clone();
    }
    match proof {
        Ok(None) => {}
        Ok(Some(proof)) => {
            data["verification"] = proof.data;
            exit = proof.exit;
            msg = format!("{msg}; {}", proof.msg);
        }
        Err(Error::Unverified { id, cause, .. }) => {
            return Err(Error::Unverified { id, cause, made: Some(data) });
        }
        Err(error) => return Err(error),
    }
    match copy {
        Err(error) => Err(Error::Unpushed { id: id.to_owned(), cause: Box::new(error), made: Some(data) }),
        Ok(_) => Ok(Answer { exit, msg, data }),
    }
}

/// Clears away what killed runs left half-made.
fn sweep(ctx: &Context) -> Result<(), Error> {
    for name in ctx.store.sweep()? {
        ctx.session.emit.explain(&format!("removed {name}, which a killed run left"));
    }
    Ok(())
}

/// A directory under a name that no backup has.
fn start(ctx: &Context, at: SystemTime) -> Result<(String, Partial), Error> {
    let id = names::backup_id(at, &ctx.target.name, &ctx.session.run);
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
