//! Tries a migration on the very backup that lets it run: what it does, whether it keeps the promises that its vendor
//! gives, and whether the old release goes on with the new schema.

mod arena;
mod bounds;
mod charge;
mod contents;
mod definition;
mod isolation;
mod leftovers;
mod limits;
mod migration;
mod mounts;
mod one_run;
mod places;
mod play;
mod probe;
mod promise;
mod rehearsal;
mod stage;
mod statements;
mod subject;
mod trace;
mod tree;
mod verdict;

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use tg_core::backup::crypt::Identities;
use tg_core::backup::readable::Readable;
use tg_core::clock;
use tg_core::ours::Maker;
use tg_core::session::{Answer, Session};

use crate::cli::{Cli, RehearseOptions};
use crate::context::Context;
use crate::error::MigrateError;
use arena::Arena;
use isolation::Lookout;
pub(crate) use leftovers::sweep;
use limits::Limits;
use mounts::Mounts;
use rehearsal::Rehearsal;
use stage::Stage;
use subject::Live;
pub(crate) use subject::written;
pub(crate) use verdict::{Conclusion, Verdict};

/// Its containers, volume and network are called so.
const MAKER: &str = "tg-migrate-rehearse";

pub(crate) fn run(session: &Session, cli: &Cli, options: &RehearseOptions) -> Result<Answer, MigrateError> {
    let begun = Instant::now();
    let ctx = Context::open(session, cli)?;
    let (store, state) = (ctx.store(cli)?, ctx.project.state()?);
    let (from, to) = (options.from.clone().map_or_else(|| subject::running(&ctx), Ok)?, cli.to.clone());
    let to = to.map_or_else(|| subject::written(&ctx), Ok)?;
    let (entry, manifest) = subject::backup(&ctx, &store, options)?;
    ctx.start(
        "rehearsing the migration of",
        "rehearse",
        json!({"from": from, "to": to, "backup": entry.id}),
    )?;
    let maker = Maker { session, state: &state, name: MAKER };
    let _turn = leftovers::begin(&ctx, &maker)?;
    let _read = entry.hold()?;
    let identities = Identities::of(&ctx.project, options.identity.as_deref())?;
    let files = Readable::of(&entry, &manifest, &identities)?;
    let live = subject::live(&ctx)?;
    let image = ctx.target.container.as_ref().map(|c| c.image_id.clone());
    let image =
        image.or_else(|| manifest.image.as_ref().map(|i| i.id.clone())).ok_or(MigrateError::NoImage)?;
    session.emit.explain("restoring the backup");
    let arena = Arena::open(&ctx, maker, (store.root(), &files), &manifest, &image, options.memory)?;
    let mounts = mounts(&ctx, store.root(), &live, &arena)?;
    // Another host's clients may have the same addresses.
    let subnet = arena.network()?.subnet.filter(|_| ctx.target.container.is_some());
    let lookout = Lookout::new(&ctx, subnet.as_deref())?;
    let made_of = (&arena, &mounts);
    let rehearsal = Rehearsal {
        ctx: &ctx,
        old: Stage::at(&ctx, &maker, made_of, (&from, "old"))?,
        new: Stage::at(&ctx, &maker, made_of, (&to, "new"))?,
        smoke: ctx.project.settings().commands("smoke")?,
        kills: options.kills,
        arena: &arena,
        statements: live.statements,
        lookout: &lookout,
        limits: Cell::new(Limits::of(&ctx.project)?),
    };
    let mut verdict = rehearsal.verdict()?;
    if subject::schema(&ctx)? != live.schema {
        verdict.doubt("the schema of the live database has changed meanwhile, by whomever".into());
    }
    verdict.run.clone_from(&session.run);
    verdict.created = clock::rfc3339(SystemTime::now());
    verdict.tool_version = crate::VERSION.into();
    verdict.database.clone_from(&ctx.target.name);
    verdict.backup.clone_from(&entry.id);
    (verdict.from, verdict.to) = (from, to);
    verdict.duration_ms = clock::milliseconds(begun);
    if live.schema != verdict.schema_before {
        let msg = "the schema is not that of the backup any more: what was rehearsed is not what would run";
        session.emit.warning(
            "schema-moved",
            msg,
            json!({"backup": verdict.schema_before, "now": live.schema}),
        )?;
    }
    let path = options
        .output
        .clone()
        .unwrap_or_else(|| tg_core::rehearsal::directory(&state).join(format!("{}.json", session.run)));
    verdict.write(&path)?;
    answer(&verdict, &path, options)
}

/// What the containers are shown of this host.
fn mounts(ctx: &Context, store: &Path, live: &Live, arena: &Arena) -> Result<Mounts, MigrateError> {
    let (project, state) = (&ctx.project, ctx.project.state()?);
    state.create()?;
    let database = project.service(&project.database).cloned().unwrap_or_default();
    let mut own = mounts::binds(&database);
    own.push(store.to_owned());
    Mounts::new(state.root(), &own, mounts::at(&database, &live.sockets), &arena.socket())
}

fn answer(verdict: &Verdict, path: &Path, options: &RehearseOptions) -> Result<Answer, MigrateError> {
    let mut data = serde_json::to_value(verdict).unwrap_or_default();
    if let Some(data) = data.as_object_mut() {
        data.shift_remove("trace");
        data.insert("changed".into(), json!(false));
        data.insert("verdict".into(), json!(path));
    }
    let first = verdict.reasons.first().map_or(String::new(), |reason| format!(": {reason}"));
    let (from, to) = (&verdict.from, &verdict.to);
    let good = match verdict.conclusion {
        Conclusion::Proven => true,
        Conclusion::NoCounterexample => options.accept_no_counterexample,
        Conclusion::Broken => false,
        Conclusion::Unknown => {
            return Err(MigrateError::Unrehearsed { reason: verdict.reasons.join("; "), data });
        }
    };
    let msg = match verdict.conclusion {
        // What speaks not against it, and is to be known, goes with it.
        Conclusion::Proven => format!(
            "proven: {from} goes on with the schema of {to}; about {:.1} s{first}",
            Duration::from_millis(verdict.predicted.duration_ms).as_secs_f64()
        ),
        Conclusion::NoCounterexample => format!("nothing speaks against {to}, and it is not proven{first}"),
        _ => format!("broken{first}"),
    };
    Ok(if good { Answer::yes(msg, data) } else { Answer::no(msg, data) })
}
