//! Proves a backup: restored into a throwaway server and compared, table by table, with what its
//! manifest says. Three ends: verified, not restorable, could not verify.

mod prove;
mod server;

use std::time::Instant;

use serde_json::{Value, json};
use tg_core::backup::crypt::Identities;
use tg_core::backup::manifest::Manifest;
use tg_core::backup::store::Entry;
use tg_core::backup::verification::{Outcome, Verification};
use tg_core::clock;
use tg_core::journal::Journal;
use tg_core::{Answer, Session, history};

use crate::cli::{Cli, VerifyOptions};
use crate::context::Context;
use crate::error::Error;
use crate::fresh;
use crate::remote::Remote;
use crate::source::{self, Wanted};
pub(crate) use prove::Proof;
pub(crate) use server::Server;

pub(crate) fn run(session: &Session, cli: &Cli, options: &VerifyOptions) -> Result<Answer, Error> {
    let begun = Instant::now();
    let ctx = Context::aside(session, cli, "verify", "verifying a backup of")?;
    let found = source::anywhere(&ctx, &Wanted::of_backup(&options.which))?;
    if ctx.dry_run {
        let data = json!({"changed": false, "dry_run": true, "id": found.id});
        return Ok(Answer::yes(format!("dry run: {} would be verified", found.id), data));
    }
    session.emit.begin_change(Journal::create(&ctx.state, &session.run, crate::TOOL)?)?;
    let (entry, manifest) = source::here(&ctx, found)?;
    let _read = entry.hold()?;
    let ended = fresh::check(&ctx, &entry, &manifest).and_then(|()| {
        let image = image(&ctx, &manifest, options)?;
        let server = Server::start(&ctx, &manifest.database, manifest.method, &image, options.memory)?;
        server.prove(&entry, &manifest, None)
    });
    let answer = conclude(&ctx, &entry, &manifest, ended, begun)?;
    tell_store(&ctx, &entry)?;
    Ok(answer)
}

/// The copy in the store shall know of the proof too; if it can't, the proof holds all the same.
fn tell_store(ctx: &Context, entry: &Entry) -> Result<(), Error> {
    let check = || ctx.session.check("telling the store");
    let tell = || -> Result<(), Error> {
        let Some(remote) = Remote::of(ctx, &check)? else { return Ok(()) };
        if remote.copy(&entry.id)?.is_some() { remote.push_record(entry) } else { Ok(()) }
    };
    if let Err(error) = tell() {
        let msg = format!("the store does not know of this proof: {error}");
        ctx.session.emit.warning("store-not-told", &msg, json!({"id": entry.id}))?;
    }
    Ok(())
}

/// Proves a backup that was just made, in a server that was started meanwhile.
pub(crate) fn made(
    ctx: &Context,
    server: Result<Server, Error>,
    (entry, manifest): (&Entry, &Manifest),
    identities: Option<&Identities>,
) -> Result<Answer, Error> {
    let begun = Instant::now();
    let ended = server.and_then(|server| server.prove(entry, manifest, identities));
    conclude(ctx, entry, manifest, ended, begun)
}

/// The image that made the backup, else the one that was named.
fn image(ctx: &Context, manifest: &Manifest, options: &VerifyOptions) -> Result<String, Error> {
    if let Some(image) = &options.image {
        return Ok(image.clone());
    }
    let made_by = manifest.image.as_ref().ok_or(Error::NoImage)?;
    let here = |name: &str| -> Result<bool, Error> { Ok(ctx.engine()?.image(name)?.is_some()) };
    for name in std::iter::once(&made_by.id).chain(&made_by.digests) {
        if here(name)? {
            return Ok(name.clone());
        }
    }
    Err(Error::ImageGone { id: made_by.id.clone(), reference: made_by.reference.clone() })
}

/// Writes down what came of it beside the backup, and answers.
fn conclude(
    ctx: &Context,
    entry: &Entry,
    manifest: &Manifest,
    ended: Result<Proof, Error>,
    begun: Instant,
) -> Result<Answer, Error> {
    let mut verification = Verification::of(manifest, &ctx.session.run, crate::VERSION);
    verification.duration_ms = clock::milliseconds(begun);
    match ended {
        Ok(proof) => {
            verification.outcome = Outcome::Verified;
            verification.depth = proof.depth;
            (verification.restore_ms, verification.read_ms) = (proof.restore_ms, proof.read_ms);
            (verification.computed, verification.bound) = (proof.computed, proof.bound);
        }
        Err(error) => match error.condemns() {
            Some((object, problem)) => {
                verification.outcome = Outcome::NotRestorable;
                (verification.object, verification.problem) = (object, Some(problem));
            }
            // What could not be tried says nothing about the backup.
            None => {
                return Err(Error::Unverified { id: entry.id.clone(), cause: Box::new(error), made: None });
            }
        },
    }
    verification.write(&entry.path)?;
    let data = summary(&verification);
    let facts = data.as_object().cloned().unwrap_or_default();
    history::append(&ctx.state, &ctx.session.run, crate::TOOL, "verify", facts)?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(match verification.outcome {
        Outcome::Verified => {
            let rows = manifest.rows().map_or(String::new(), |rows| format!(" and {rows} rows"));
            let found = match verification.depth {
                Some(_) => format!("{} tables{rows} came back equal", manifest.tables.len()),
                None => "a server starts on it, and all of its tables can be read".into(),
            };
            Answer::yes(format!("{} is verified: {found}, {seconds:.1} s", entry.id), data)
        }
        Outcome::NotRestorable => {
            let problem = verification.problem.unwrap_or_default();
            Answer::no(format!("{} is not restorable: {problem}", entry.id), data)
        }
    })
}

fn summary(verification: &Verification) -> Value {
    let mut data = serde_json::to_value(verification).unwrap_or_default();
    data["changed"] = json!(true);
    data
}
