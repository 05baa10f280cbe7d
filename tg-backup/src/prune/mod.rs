//! Removes backups that a policy does not keep. Only proven ones count towards what is kept, and
//! what nobody could replace stays whatever the policy says.

pub(crate) mod policy;

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tg_core::backup::Method;
use tg_core::backup::order::Moment;
use tg_core::backup::store::{Entry, Removal};
use tg_core::bytes::size;
use tg_core::clock;
use tg_core::{Answer, Session};

use crate::answer::changed;
use crate::catalog::{self, Backup};
use crate::cli::{Cli, Places, PruneOptions};
use crate::context::Context;
use crate::error::Error;
use crate::physical::chain;
use crate::physical::pgbackrest::Stanza;
use crate::prune::policy::{Candidate, Verdict, judge};
use crate::remote::Remote;

pub(crate) fn run(session: &Session, cli: &Cli, options: &PruneOptions) -> Result<Answer, Error> {
    let ctx = Context::aside(session, cli, "prune", "pruning the backups of")?;
    let lock = if ctx.dry_run { None } else { Some(session.begin_change(&ctx.state)?) };
    if lock.is_some() {
        ctx.store.sweep()?;
    }
    let check = || session.check("pruning the store");
    let copies = Remote::of(&ctx, &check)?;
    let needed = unfinished(&ctx);
    let mut tally = Tally::default();
    if options.r#in != Places::Store {
        let backups = catalog::local(&ctx.store);
        let remove = |backup: &Backup| backup.entry().map_or(Ok(false), |entry| remove(&ctx, &entry));
        judged(&ctx, options, ("local", &backups), needed.as_deref(), &remove, &mut tally)?;
    }
    if let (Some(copies), true) = (&copies, options.r#in != Places::Local) {
        let backups = catalog::merged(Vec::new(), copies.list()?);
        let remove = |backup: &Backup| remove_copy(&ctx, copies, backup);
        judged(&ctx, options, ("store", &backups), needed.as_deref(), &remove, &mut tally)?;
    }
    let Tally { removed, kept, bytes } = tally;
    let data = json!({"changed": removed > 0 && lock.is_some(), "dry_run": ctx.dry_run, "removed": removed, "kept": kept, "bytes": bytes});
    let would = if ctx.dry_run { "would be " } else { "" };
    let msg = format!("{removed} backups {would}removed, {} freed; {kept} kept", size(bytes));
    if data["changed"] == true { changed(&ctx, "prune", msg, data) } else { Ok(Answer::yes(msg, data)) }
}

#[derive(Default)]
struct Tally {
    removed: usize,
    kept: usize,
    bytes: u64,
}

/// A verdict on each backup in a place, told, and carried out unless it is a dry run.
fn judged(
    ctx: &Context,
    options: &PruneOptions,
    (place, backups): (&str, &[Backup]),
    needed: Option<&str>,
    remove: &dyn Fn(&Backup) -> Result<bool, Error>,
    tally: &mut Tally,
) -> Result<(), Error> {
    catalog::tell_clocks(ctx, backups)?;
    for (backup, verdict) in backups.iter().zip(verdicts(ctx, backups, options, needed)) {
        ctx.session.emit.record(&sentence(backup, &verdict, place), record(backup, &verdict, place))?;
        if !verdict.keep && (ctx.dry_run || remove(backup)?) {
            tally.removed += 1;
            tally.bytes += backup.bytes();
        } else {
            tally.kept += 1;
        }
    }
    Ok(())
}

/// The run of a procedure that has not ended.
fn unfinished(ctx: &Context) -> Option<String> {
    let text = std::fs::read_to_string(ctx.state.procedure()).ok()?;
    let procedure: Value = serde_json::from_str(&text).ok()?;
    procedure["run"].as_str().map(str::to_owned)
}

/// A verdict on each backup: by database and method, since each kind is kept for itself.
fn verdicts(ctx: &Context, backups: &[Backup], options: &PruneOptions, needed: Option<&str>) -> Vec<Verdict> {
    let moments = catalog::moments(backups);
    let kinds: HashSet<(&str, Method)> = backups.iter().filter_map(Backup::kind).collect();
    let mut verdicts: Vec<Verdict> =
        backups.iter().map(|_| Verdict::kept("its manifest can't be believed: remove it by hand")).collect();
    for kind in kinds {
        let ours: Vec<usize> = (0..backups.len()).filter(|&i| backups[i].kind() == Some(kind)).collect();
        let candidates: Vec<Candidate> =
            ours.iter().filter_map(|&i| candidate(&backups[i], moments[i], needed)).collect();
        let judged = if kind.0 == ctx.target.name || options.all_databases {
            judge(&candidates, &options.policy)
        } else {
            candidates.iter().map(|_| Verdict::kept("it is of another database")).collect()
        };
        for (i, verdict) in ours.into_iter().zip(judged) {
            verdicts[i] = verdict;
        }
    }
    keep_bases(backups, &mut verdicts);
    verdicts
}

/// What is kept keeps what it stands on.
fn keep_bases(backups: &[Backup], verdicts: &mut [Verdict]) {
    // Newest first, and a base is older than what stands on it.
    for i in 0..backups.len() {
        let parent = backups[i].manifest.as_ref().ok().and_then(|m| chain::parent(m));
        let Some(base) = parent.and_then(|id| backups.iter().position(|b| b.id == id)) else { continue };
        if verdicts[i].keep {
            let base = &mut verdicts[base];
            let reason = format!("{} stands on it", backups[i].id);
            if base.keep {
                base.reasons.push(reason);
            } else {
                *base = Verdict::kept(&reason);
            }
        }
    }
}

/// By the time that can have been: one that is dated years ahead must not make all others look old.
fn candidate(backup: &Backup, moment: Moment, needed: Option<&str>) -> Option<Candidate> {
    let manifest = backup.manifest.as_ref().ok()?;
    Some(Candidate {
        at_s: moment.at_s,
        created: clock::rfc3339(UNIX_EPOCH + Duration::from_secs(moment.at_s)),
        verified: backup.verified(),
        needed: needed.is_some_and(|run| manifest.run == run),
    })
}

/// Whether it was removed: one that is being read stays.
fn remove(ctx: &Context, entry: &Entry) -> Result<bool, Error> {
    let intent = json!({"id": entry.id, "bytes": entry.bytes()});
    ctx.change("remove", &format!("remove {}", entry.id), intent, || {
        let physical = entry.manifest.as_ref().ok().and_then(|m| m.physical.as_ref());
        if let Some(label) = physical.and_then(|p| p.label.as_ref()) {
            // The data first: what has a record and no data is noticed, data without a record are not.
            Stanza::find(ctx)?.expire(label)?;
        }
        removed(ctx, entry)
    })
}

fn removed(ctx: &Context, entry: &Entry) -> Result<(bool, Value), Error> {
    match ctx.store.remove(entry)? {
        Removal::Done => Ok((true, json!({"id": entry.id, "removed": true}))),
        Removal::InUse => {
            let msg = format!("{} is being read; it stays", entry.id);
            ctx.session.emit.warning("in-use", &msg, json!({"id": entry.id}))?;
            Ok((false, json!({"id": entry.id, "removed": false})))
        }
    }
}

fn remove_copy(ctx: &Context, copies: &Remote, backup: &Backup) -> Result<bool, Error> {
    let intent = json!({"id": backup.id, "bytes": backup.bytes()});
    ctx.change("remove-copy", &format!("remove {} from the store", backup.id), intent, || {
        copies.remove(&backup.id)?;
        Ok((true, json!({"id": backup.id, "removed": true})))
    })
}

fn record(backup: &Backup, verdict: &Verdict, place: &str) -> Value {
    json!({
        "kind": "verdict", "id": backup.id, "in": place, "keep": verdict.keep, "reasons": verdict.reasons,
        "bytes": backup.bytes(), "verified": backup.verified(),
    })
}

fn sentence(backup: &Backup, verdict: &Verdict, place: &str) -> String {
    let word = if verdict.keep { "keep  " } else { "remove" };
    format!("{word}  {}  {place}  {}", backup.id, verdict.reasons.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::policy::Policy;
    use std::time::SystemTime;
    use tg_core::backup::synthetic::synthetic;

    #[test]
    fn a_backup_that_is_dated_years_ahead_makes_no_other_one_too_old() {
        let root = tempfile::tempdir().unwrap();
        let (manifest, _) = synthetic(root.path());
        let hours = |h: u64| Duration::from_hours(h);
        let dated = |id: &str, at: SystemTime| {
            let mut manifest = manifest.clone();
            (manifest.id, manifest.created) = (id.into(), clock::rfc3339(at));
            Backup {
                id: id.into(),
                manifest: Ok(Box::new(manifest)),
                verification: None,
                local: None,
                stored: true,
            }
        };
        let now = SystemTime::now();
        let backups =
            [dated("ahead", now + hours(24 * 3650)), dated("b", now - hours(1)), dated("a", now - hours(2))];
        let moments = catalog::moments(&backups);
        let of = |(backup, moment): (&Backup, Moment)| Candidate {
            verified: true,
            ..candidate(backup, moment, None).unwrap()
        };
        let candidates: Vec<_> = backups.iter().zip(moments).map(of).collect();
        let policy = Policy { keep_within: Some(hours(24)), ..Policy::default() };
        assert!(judge(&candidates, &policy).iter().all(|verdict| verdict.keep));
    }
}
