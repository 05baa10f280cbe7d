//! Runs the migrator, watched, and tells what it changed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tg_core::backup::Store;
use tg_core::database::Client;
use tg_core::event::StepState;
use tg_core::process;
use tg_core::session::{Answer, Session};
use tg_core::{Exit, history};

use crate::advisory::AdvisoryLock;
use crate::attempt::{Attempt, Attempts};
use crate::cli::{Accept, Cli};
use crate::context::Context;
use crate::error::MigrateError;
use crate::gate::Gate;
use crate::mark::Mark;
use crate::migrator::{self, Migrator};
use crate::outcome::{Ending, Outcome};
use crate::preflight::{self, Weight};
use crate::rehearse::Verdict;
use crate::watch;

/// The journaled step; `tg-migrate changed` and `tg-backup restore` look for it.
pub(crate) const STEP: &str = "migrate";
/// How old a transaction must be to be in the way.
const BLOCKER_AGE_S: u64 = 30;

pub(crate) fn run(session: &Session, cli: &Cli) -> Result<Answer, MigrateError> {
    let ctx = Context::open(session, cli)?;
    ctx.project.require(&ctx.project.migrate, "migrate")?;
    let mut migrator = Migrator::prepare(&ctx, cli)?;
    let store = ctx.store(cli)?;
    let plan = json!({
        "service": migrator.service, "to": migrator.tag, "image": migrator.reference, "image_id": migrator.image.id, "dry_run": cli.dry_run,
    });
    ctx.start(&format!("migrating with {}:", migrator.reference), "run", plan)?;
    let mut client = ctx.connect()?;
    let gate = Gate::pass(&ctx, cli, &store)?;
    let rehearsal = cli.rehearsal.as_deref().map(Verdict::read).transpose()?;
    if cli.dry_run {
        blockers(&ctx, cli, &mut client)?;
        let data = json!({"changed": false, "to": migrator.tag, "backup": gate.as_ref().map(Gate::data)});
        return Ok(Answer::yes("dry run: nothing was changed", data));
    }
    let state = ctx.project.state()?;
    let _project = session.begin_change(&state)?;
    await_others(&ctx)?;
    let _database = AdvisoryLock::take(&ctx)?;
    blockers(&ctx, cli, &mut client)?;
    session.check("waiting to migrate")?;
    let before = Mark::take(&mut client)?;
    if let Some(verdict) = &rehearsal {
        holds(&ctx, verdict, &before, &migrator, &store)?;
    }
    let names = watch::names(&mut client)?;
    let intent = json!({
        "to": migrator.tag, "image_id": migrator.image.id, "schema_before": before.catalog.hash(),
        "catalog_before": before.catalog.hash_here(), "xid_before": before.xid,
        "backup": gate.as_ref().map(Gate::data),
    });
    session.emit.step(STEP, StepState::Started, "run the migrations", intent)?;
    let begun = Instant::now();
    let attempts = Attempts::of(&ctx, cli, rehearsal.as_ref())?;
    let (attempt, outcome, tries) = attempts.run(&mut migrator, &mut client, &before)?;
    outcome.tell(&ctx, &attempt.watched.ledger, &names)?;
    let well = attempt.is_well();
    if let Some(verdict) = rehearsal.as_ref().filter(|v| well && v.schema_after != outcome.schema()) {
        let msg = "the schema is not what it was after the rehearsal";
        session.emit.warning(
            "not-as-rehearsed",
            msg,
            json!({"rehearsed": verdict.schema_after, "is": outcome.schema()}),
        )?;
    }
    let ending = outcome.ending(well, attempt.was_locked_out());
    let mut data = outcome.data(&before, &attempt.watched.ledger);
    data.insert("ending".into(), json!(ending));
    data.insert("attempts".into(), json!(tries));
    data.insert("exit_code".into(), json!(attempt.status.and_then(|s| s.code())));
    data.insert("duration_ms".into(), json!(begun.elapsed().as_millis()));
    if !well {
        data.insert("error".into(), json!(attempt.reason));
    }
    let step = if well { StepState::Succeeded } else { StepState::Failed };
    session.emit.step(STEP, step, "run the migrations", Value::Object(data.clone()))?;
    data.insert("to".into(), json!(migrator.tag));
    data.insert("image_id".into(), json!(migrator.image.id));
    data.insert("image_digests".into(), json!(migrator.image.digests));
    data.insert("backup".into(), json!(gate.as_ref().map(|gate| &gate.id)));
    data.insert("outcome".into(), json!(if well { "succeeded" } else { "failed" }));
    history::append(&state, &session.run, crate::TOOL, "migrate", data.clone())?;
    if well {
        let msg = outcome.sentence(&ctx.target.name, &attempt.watched.ledger);
        return Ok(Answer { exit: Exit::Done, msg, data: Value::Object(data) });
    }
    Err(failure(&ctx, attempt, &outcome, ending, gate.map(|gate| gate.id), tries))
}

/// What a migration that did not end well is told as.
fn failure(
    ctx: &Context,
    attempt: Attempt,
    outcome: &Outcome,
    ending: Ending,
    backup: Option<String>,
    attempts: u32,
) -> MigrateError {
    let (run, reason) = (ctx.session.run.clone(), attempt.reason);
    let status = attempt.status.map_or_else(|| "not run to its end".into(), process::describe);
    let cut = attempt.cut.then(|| ctx.session.check("running the migrator").err()).flatten();
    match (ending, cut) {
        (Ending::FailedDirty, _) => MigrateError::FailedDirty { status, reason, run, backup },
        (_, Some(why)) => {
            let unknown = outcome.changed().why().map(str::to_owned);
            MigrateError::Cut { why, unknown, run, backup }
        }
        (Ending::LockTimeout, None) => MigrateError::LockTimeout { status, reason, attempts },
        (Ending::FailedClean | Ending::NothingToDo, None) => MigrateError::FailedClean { status, reason },
        (Ending::Applied | Ending::NothingSeen | Ending::FailedUnknown, None) => {
            let unknown = outcome.changed().why().unwrap_or_default().to_owned();
            MigrateError::FailedUnknown { status, reason, unknown, run, backup }
        }
    }
}

/// Refuses where a rehearsal is of something else, or failed.
fn holds(
    ctx: &Context,
    verdict: &Verdict,
    before: &Mark,
    migrator: &Migrator,
    store: &Store,
) -> Result<(), MigrateError> {
    let image = &migrator.image.id;
    if let Some(moved) = verdict.moved(&ctx.target.name, &before.catalog.hash(), &migrator.service, image) {
        return Err(MigrateError::Moved(moved));
    }
    if store.entry(&verdict.backup).is_none() {
        return Err(MigrateError::Moved(format!("its backup {} is gone", verdict.backup)));
    }
    if verdict.schema_after.is_none() {
        return Err(MigrateError::FailedBefore(verdict.reasons.join("; ")));
    }
    // Where the engine is another host's, nobody knows how much is free.
    let root = ctx.engine.root_directory()?.unwrap_or_default();
    match tg_core::bytes::free(std::path::Path::new(&root)) {
        Ok(free) if free < verdict.predicted.disk_bytes() => {
            Err(MigrateError::NoSpace { needed: verdict.predicted.disk_bytes(), free })
        }
        _ => Ok(()),
    }
}

/// Tells what is in the way, and refuses unless that is accepted.
fn blockers(ctx: &Context, cli: &Cli, client: &mut Client) -> Result<(), MigrateError> {
    let findings = preflight::find(client, BLOCKER_AGE_S)?;
    for finding in &findings {
        ctx.session.emit.record(&finding.msg, finding.data())?;
    }
    let blocking =
        findings.into_iter().filter(|f| f.weight == Weight::Blocks).map(|f| f.msg).collect::<Vec<_>>();
    if blocking.is_empty() || cli.accept.contains(&Accept::Blockers) {
        return Ok(());
    }
    Err(MigrateError::Blocked(blocking))
}

/// One migrator at a time: waits for one that a killed run or a person left running.
fn await_others(ctx: &Context) -> Result<(), MigrateError> {
    let (session, engine) = (ctx.session, &ctx.engine);
    for other in migrator::left_behind(&ctx.project, engine)? {
        let msg = format!("waiting for migrator {} which is still running", other.name);
        session.emit.warning("migrator-running", &msg, json!({"container": other.name}))?;
        while engine.inspect(&other.id)?.is_some_and(|c| c.running()) {
            session.check("waiting for another migrator")?;
            session.deadline.sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}
