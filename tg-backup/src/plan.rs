//! How long a backup, a rollback point and each way back would take, said beforehand: from what was
//! measured here, scaled by size, else by a rule of thumb.

use serde_json::{Value, json};
use tg_core::backup::Method;
use tg_core::bytes::{size, unsigned};
use tg_core::{Answer, Session, history};

use crate::belongings;
use crate::bound;
use crate::catalog::{self, Backup};
use crate::census::Census;
use crate::cli::Cli;
use crate::context::Context;
use crate::error::Error;
use crate::way_back;

/// Rules of thumb, bytes of database a second on two processors and one disk: a dump with counts and
/// hashes, a restore with its indexes, a copy of files. They are meant to be too slow rather than too fast.
const DUMP: u64 = 100 << 20;
const RESTORE: u64 = 60 << 20;
const CLONE: u64 = 1 << 30;
/// Connecting, looking for lost rows, closing and renaming, ms.
const SWAP_MS: u64 = 1500;

/// How long something would take, and how that is known.
#[derive(Debug, PartialEq)]
struct Estimate {
    ms: u64,
    measured: bool,
}

impl Estimate {
    /// What took so long for so many bytes, for as many as there are now.
    fn scaled(ms: u64, then: i64, now: i64) -> Self {
        let (then, now) = (u128::from(unsigned(then).max(1)), u128::from(unsigned(now)));
        Estimate { ms: u64::try_from(u128::from(ms) * now / then).unwrap_or(u64::MAX), measured: true }
    }

    fn by_rule(bytes: i64, bytes_a_second: u64) -> Self {
        Estimate { ms: unsigned(bytes).saturating_mul(1000) / bytes_a_second + SWAP_MS, measured: false }
    }
}

pub(crate) fn run(session: &Session, cli: &Cli) -> Result<Answer, Error> {
    let ctx = Context::open(session, cli, "plan", "planning for")?;
    let mut cluster = ctx.cluster()?;
    let mut database = cluster.database(&ctx.target.name)?;
    database.named_by = bound::named_by(&mut ctx.target.connect(crate::TOOL, None)?, &database)?;
    bound::warn(&ctx, &database)?;
    belongings::tell(&ctx, &mut cluster)?;
    Census::take(&ctx)?.warn(&ctx)?;
    let bytes = database.size_bytes;
    let mut backups = catalog::all(&ctx)?;
    backups.retain(|b| b.database() == Some(database.name.as_str()));
    if let Some(proof) = backups.iter().find_map(|b| b.verification.as_ref()) {
        bound::warn_proven(&ctx, &database.name, &proof.bound)?;
    }
    let past = history::read(&ctx.state);
    let rows = [
        ("create", "a backup", create(&backups, bytes)),
        ("point", "a rollback point", point(&past, bytes)),
        ("back-by-point", "back by a rollback point", back_by_point(&past)),
        ("back-by-backup", "back by a backup", back_by_backup(&backups, &past, bytes)),
    ];
    let mut data = json!({"changed": false, "database": database.name, "size_bytes": bytes});
    for (what, words, estimate) in rows {
        let basis = if estimate.measured { "as measured here" } else { "by a rule of thumb" };
        #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
        let seconds = estimate.ms as f64 / 1000.0;
        let row = json!({"kind": "estimate", "what": what, "ms": estimate.ms, "measured": estimate.measured});
        session.emit.record(&format!("{words}: about {seconds:.1} s ({basis})"), row)?;
        data[format!("{}_ms", what.replace('-', "_"))] = json!(estimate.ms);
    }
    let obstacles = way_back::tell(&ctx, &database)?;
    data["way_back"] = obstacles.iter().map(way_back::data).collect();
    if let Some(first) = obstacles.first() {
        return Ok(Answer::no(format!("there is no way back: {}; {}", first.msg, first.cure), data));
    }
    Ok(Answer::yes(format!("{} has {}", database.name, size(unsigned(bytes))), data))
}

/// As the newest dump took.
fn create(backups: &[Backup], bytes: i64) -> Estimate {
    let dumps = backups.iter().filter_map(|b| b.manifest.as_ref().ok()).filter(|m| m.method == Method::Dump);
    let newest = { dumps }.next();
    newest.map_or_else(
        || Estimate::by_rule(bytes, DUMP),
        |m| Estimate::scaled(m.duration_ms, m.database.size_bytes, bytes),
    )
}

/// The newest line of the history that fits.
fn last<'a>(past: &'a [Value], action: &str, kind: Option<&str>) -> Option<&'a Value> {
    past.iter().rfind(|line| {
        line["tool"] == crate::TOOL
            && line["action"] == action
            && line["changed"] == true
            && kind.is_none_or(|kind| line["kind"] == kind)
    })
}

fn point(past: &[Value], bytes: i64) -> Estimate {
    let known = last(past, "point", None)
        .and_then(|line| Some((line["duration_ms"].as_u64()?, line["bytes"].as_i64()?)));
    known.map_or_else(|| Estimate::by_rule(bytes, CLONE), |(ms, then)| Estimate::scaled(ms, then, bytes))
}

/// Its time does not depend on the size, but for the look at what would be lost.
fn back_by_point(past: &[Value]) -> Estimate {
    let known = last(past, "restore", Some("point")).and_then(|line| line["duration_ms"].as_u64());
    known.map_or(Estimate { ms: SWAP_MS, measured: false }, |ms| Estimate { ms, measured: true })
}

/// As the last restore took, else as the last proof did.
fn back_by_backup(backups: &[Backup], past: &[Value], bytes: i64) -> Estimate {
    let restored = last(past, "restore", Some("backup"))
        .and_then(|line| Some((line["duration_ms"].as_u64()?, line["bytes"].as_i64()?)));
    let proven = || {
        let dump = backups.iter().find(|b| b.verified() && b.kind().is_some_and(|k| k.1 == Method::Dump))?;
        let (manifest, proof) = (dump.manifest.as_ref().ok()?, dump.verification.as_ref()?);
        Some((
            proof.restore_ms.saturating_add(proof.read_ms).saturating_add(SWAP_MS),
            manifest.database.size_bytes,
        ))
    };
    restored
        .or_else(proven)
        .map_or_else(|| Estimate::by_rule(bytes, RESTORE), |(ms, then)| Estimate::scaled(ms, then, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_scaled_by_size_and_wins_over_a_rule() {
        let line = |kind: &str, ms: u64, bytes: i64| json!({"tool": crate::TOOL, "action": "restore", "kind": kind, "changed": true, "duration_ms": ms, "bytes": bytes});
        let past = [line("backup", 99, 1), line("backup", 4000, 1 << 30), line("point", 300, 1 << 30)];
        assert_eq!(back_by_backup(&[], &past, 3 << 30), Estimate { ms: 12_000, measured: true });
        assert_eq!(back_by_point(&past), Estimate { ms: 300, measured: true });
        assert_eq!(back_by_point(&[]).ms, SWAP_MS);
        let rule = back_by_backup(&[], &[], 60 << 20);
        assert_eq!(rule, Estimate { ms: 1000 + SWAP_MS, measured: false });
    }

    #[test]
    fn a_restore_that_changed_nothing_tells_no_time() {
        let again = json!({"tool": crate::TOOL, "action": "restore", "kind": "point", "changed": false, "duration_ms": 1});
        assert!(!back_by_point(&[again]).measured);
    }
}
