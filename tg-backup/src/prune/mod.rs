//! Removes backups that a policy does not keep. Only proven ones count towards what is kept, and
//! what nobody could replace stays whatever the policy says.

pub(crate) mod policy;

use std::collections::HashSet;

use serde_json::{Value, json};
use tg_core::{Answer, Session};

use crate::answer::{changed, size};
use crate::cli::{Cli, PruneOptions};
use crate::clock;
use crate::context::Context;
use crate::error::Error;
use crate::prune::policy::{Candidate, Verdict, judge};
use crate::store::{Entry, Removal};
use crate::verify::record::Verification;

pub(crate) fn run(session: &Session, cli: &Cli, options: &PruneOptions) -> Result<Answer, Error> {
    let ctx = Context::aside(session, cli, "prune", "pruning the backups of")?;
    let lock = if ctx.dry_run { None } else { Some(session.begin_change(&ctx.state)?) };
    if lock.is_some() {
        ctx.store.sweep()?;
    }
    let entries = ctx.store.list();
    let needed = unfinished(&ctx);
    let verdicts = verdicts(&ctx, &entries, options, needed.as_deref());
    let (mut removed, mut bytes) = (0, 0);
    for (entry, verdict) in entries.iter().zip(&verdicts) {
        let data = record(entry, verdict);
        session.emit.record(&sentence(entry, verdict), data)?;
        if !verdict.keep && (lock.is_none() || remove(&ctx, entry)?) {
            removed += 1;
            bytes += entry.bytes();
        }
    }
    let kept = entries.len() - removed;
    let data = json!({"changed": removed > 0 && lock.is_some(), "dry_run": ctx.dry_run, "removed": removed, "kept": kept, "bytes": bytes});
    let would = if ctx.dry_run { "would be " } else { "" };
    let msg = format!("{removed} backups {would}removed, {} freed; {kept} kept", size(bytes));
    if data["changed"] == true { changed(&ctx, "prune", msg, data) } else { Ok(Answer::yes(msg, data)) }
}

/// The run of a procedure that has not ended.
fn unfinished(ctx: &Context) -> Option<String> {
    let text = std::fs::read_to_string(ctx.state.procedure()).ok()?;
    let procedure: Value = serde_json::from_str(&text).ok()?;
    procedure["run"].as_str().map(str::to_owned)
}

/// A verdict on each entry: by database, since each is kept for itself.
fn verdicts(ctx: &Context, entries: &[Entry], options: &PruneOptions, needed: Option<&str>) -> Vec<Verdict> {
    let databases: HashSet<&str> = entries.iter().filter_map(Entry::database).collect();
    let mut verdicts: Vec<Verdict> =
        entries.iter().map(|_| Verdict::kept("its manifest can't be believed: remove it by hand")).collect();
    for database in databases {
        let ours: Vec<usize> =
            (0..entries.len()).filter(|&i| entries[i].database() == Some(database)).collect();
        let candidates: Vec<Candidate> =
            ours.iter().filter_map(|&i| candidate(&entries[i], needed)).collect();
        let judged = if database == ctx.target.name || options.all_databases {
            judge(&candidates, &options.policy)
        } else {
            candidates.iter().map(|_| Verdict::kept("it is of another database")).collect()
        };
        for (i, verdict) in ours.into_iter().zip(judged) {
            verdicts[i] = verdict;
        }
    }
    verdicts
}

fn candidate(entry: &Entry, needed: Option<&str>) -> Option<Candidate> {
    let manifest = entry.manifest.as_ref().ok()?;
    Some(Candidate {
        at_s: clock::seconds(&manifest.created).unwrap_or(0),
        created: manifest.created.clone(),
        verified: entry.verification().is_some_and(|proof: Verification| proof.is_good()),
        needed: needed.is_some_and(|run| manifest.run == run),
    })
}

/// Whether it was removed: one that is being read stays.
fn remove(ctx: &Context, entry: &Entry) -> Result<bool, Error> {
    let intent = json!({"id": entry.id, "bytes": entry.bytes()});
    ctx.change("remove", &format!("remove {}", entry.id), intent, || match ctx.store.remove(entry)? {
        Removal::Done => Ok((true, json!({"id": entry.id, "removed": true}))),
        Removal::InUse => {
            let msg = format!("{} is being read; it stays", entry.id);
            ctx.session.emit.warning("in-use", &msg, json!({"id": entry.id}))?;
            Ok((false, json!({"id": entry.id, "removed": false})))
        }
    })
}

fn record(entry: &Entry, verdict: &Verdict) -> Value {
    json!({
        "kind": "verdict", "id": entry.id, "keep": verdict.keep, "reasons": verdict.reasons, "bytes": entry.bytes(),
        "verified": entry.verification().is_some_and(|proof| proof.is_good()),
    })
}

fn sentence(entry: &Entry, verdict: &Verdict) -> String {
    let word = if verdict.keep { "keep  " } else { "remove" };
    format!("{word}  {}  {}", entry.id, verdict.reasons.join(", "))
}
