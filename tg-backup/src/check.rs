//! An answer for gates and monitors: is there a backup that can be relied on?

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tg_core::backup::Error as BackupError;
use tg_core::backup::Verification;
use tg_core::backup::manifest::Manifest;
use tg_core::clock;
use tg_core::{Answer, Session, Truth, atomic_file};

use crate::catalog::Backup;
use crate::cli::{Accept, CheckOptions, Cli};
use crate::context::Context;
use crate::error::Error;
use crate::prometheus;
use crate::{catalog, fresh};

/// What the backups of one database amount to.
#[derive(Default)]
pub(crate) struct Standing {
    pub database: String,
    pub backups: usize,
    pub damaged: usize,
    /// Of those whose time can have been; where there is none, of all.
    pub newest: Option<Manifest>,
    /// The same of those that were proven.
    pub newest_verified: Option<(Manifest, Verification)>,
}

impl Standing {
    /// From backups, newest first.
    pub(crate) fn of(database: &str, backups: &[Backup]) -> Self {
        let mut standing = Standing { database: database.to_owned(), ..Standing::default() };
        for backup in backups {
            let Ok(manifest) = &backup.manifest else {
                standing.damaged += 1;
                continue;
            };
            if manifest.database.name != database {
                continue;
            }
            standing.backups += 1;
            // One that is dated in the future would be fresh for ever: it counts only where it is alone.
            let counts = |known: Option<&Manifest>| {
                known.is_none_or(|m| clock::is_future(&m.created) && !clock::is_future(&manifest.created))
            };
            if counts(standing.newest.as_ref()) {
                standing.newest = Some((**manifest).clone());
            }
            if let Some(proof) = backup.verification.clone().filter(Verification::is_good)
                && counts(standing.newest_verified.as_ref().map(|(m, _)| m))
            {
                standing.newest_verified = Some(((**manifest).clone(), proof));
            }
        }
        standing
    }

    /// The backup that counts: the newest, or the newest that was proven.
    fn counts(&self, verified: bool) -> Option<&Manifest> {
        if verified {
            self.newest_verified.as_ref().map(|(manifest, _)| manifest)
        } else {
            self.newest.as_ref()
        }
    }

    /// Whether the backup that counts is young enough.
    fn fresh(&self, verified: bool, limit: Duration) -> Truth {
        let Some(manifest) = self.counts(verified) else { return Truth::No };
        match clock::age_s(&manifest.created) {
            Some(age) => Truth::from(Duration::from_secs(age) <= limit),
            None if clock::is_future(&manifest.created) => Truth::unknown(format!(
                "{} is dated {}, which has not come yet: its clock was wrong, or this host's is",
                manifest.id, manifest.created
            )),
            None => Truth::unknown(format!("the time of {} can't be read", manifest.id)),
        }
    }

    /// Why the answer is no; nothing where it is yes.
    fn complaint(&self, verified: bool, max_age: Option<Duration>) -> Option<String> {
        let kind = if verified { "verified backup" } else { "backup" };
        let Some(manifest) = self.counts(verified) else {
            return Some(format!("there is no {kind} of {}", self.database));
        };
        let limit = max_age?;
        match self.fresh(verified, limit) {
            Truth::Yes => None,
            Truth::No => Some(format!(
                "the newest {kind} of {} is {} old, more than {}",
                self.database,
                humantime::format_duration(Duration::from_secs(clock::age_s(&manifest.created).unwrap_or(0))),
                humantime::format_duration(limit)
            )),
            Truth::Unknown(why) => Some(format!("how old the newest {kind} is can't be told: {why}")),
        }
    }
}

pub(crate) fn run(session: &Session, cli: &Cli, options: &CheckOptions) -> Result<Answer, Error> {
    let ctx = Context::aside(session, cli, "check", "checking the backups of")?;
    let mut backups = if options.stored {
        catalog::merged(Vec::new(), catalog::stored(&ctx)?)
    } else {
        catalog::all(&ctx)?
    };
    backups.retain(|b| b.stored || !options.stored);
    let standing = Standing::of(&ctx.target.name, &backups);
    let mut complaint = standing
        .complaint(options.verified, options.max_age)
        .or_else(|| wrong(&ctx, standing.counts(options.verified), &options.accept));
    if let (None, true, Some(manifest)) = (&complaint, options.intact, standing.counts(options.verified)) {
        complaint = damage(&ctx, &backups, manifest)?;
    }
    if let Some(file) = &options.prometheus {
        let text = prometheus::text(&standing, complaint.is_none(), SystemTime::now());
        write(file, &text)?;
    }
    let data = facts(&standing, options, complaint.as_deref());
    if let Some(complaint) = complaint {
        return Ok(Answer::no(complaint, data));
    }
    let id = standing.counts(options.verified).map_or("", |m| &m.id);
    Ok(Answer::yes(format!("{id} is there"), data))
}

/// A backup of what can hardly be the application's data.
fn wrong(ctx: &Context, manifest: Option<&Manifest>, accept: &[Accept]) -> Option<String> {
    let name = &ctx.target.name;
    let other = ctx.target.other().filter(|other| other.is_the_application_s);
    if let Some(other) = other.filter(|_| !accept.contains(&Accept::OtherDatabase)) {
        return Some(format!(
            "the application's database is {} ({}), and not {name}",
            other.name, other.origin
        ));
    }
    let manifest = manifest.filter(|m| m.is_empty() && !accept.contains(&Accept::EmptyDatabase))?;
    Some(format!("{} holds no tables: database {name} had none", manifest.id))
}

fn damage(ctx: &Context, backups: &[Backup], manifest: &Manifest) -> Result<Option<String>, Error> {
    let Some(entry) = backups.iter().find(|b| b.id == manifest.id).and_then(Backup::entry) else {
        return Ok(None);
    };
    match fresh::check(ctx, &entry, manifest) {
        Err(Error::Backup(BackupError::Damaged { id, file, problem })) => {
            Ok(Some(format!("{id} is damaged: {file}: {problem}")))
        }
        other => other.map(|()| None),
    }
}

/// Whole or not at all, and readable to node_exporter.
fn write(file: &Path, text: &str) -> Result<(), Error> {
    let path = std::env::current_dir().unwrap_or_default().join(file);
    Ok(atomic_file::replace(&path, text.as_bytes())?)
}

fn facts(standing: &Standing, options: &CheckOptions, complaint: Option<&str>) -> Value {
    let told = |manifest: &Manifest| json!({"id": manifest.id, "created": manifest.created, "age_s": clock::age_s(&manifest.created), "bytes": manifest.bytes()});
    let mut data = json!({
        "changed": false, "database": standing.database, "backups": standing.backups, "damaged": standing.damaged,
        "newest": standing.newest.as_ref().map(told),
        "newest_verified": standing.newest_verified.as_ref().map(|(manifest, _)| told(manifest)),
        "max_age_s": options.max_age.map(|age| age.as_secs()), "verified": options.verified, "reason": complaint,
    });
    if let (Some(limit), Some(map)) = (options.max_age, data.as_object_mut()) {
        standing.fresh(options.verified, limit).put(map, "fresh");
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use tg_core::backup::store::Store;
    use tg_core::backup::synthetic::synthetic;
    use tg_core::backup::verification::Outcome;

    fn standing(root: &Path) -> Standing {
        Standing::of("x", &catalog::local(&Store::at(root.to_owned())))
    }

    #[test]
    fn a_backup_that_was_never_proven_is_none_for_who_asks_for_a_proven_one() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(standing(root.path()).complaint(false, None).unwrap(), "there is no backup of x");
        let (manifest, directory) = synthetic(root.path());
        assert_eq!(standing(root.path()).complaint(false, None), None);
        assert_eq!(standing(root.path()).complaint(true, None).unwrap(), "there is no verified backup of x");
        let mut proof = Verification::of(&manifest, "r", "0");
        proof.write(&directory).unwrap();
        assert!(standing(root.path()).complaint(true, None).is_some(), "not restorable");
        proof.outcome = Outcome::Verified;
        proof.write(&directory).unwrap();
        assert_eq!(standing(root.path()).complaint(true, None), None);
    }

    #[test]
    fn too_old_is_no_and_so_is_a_time_that_can_not_be_read() {
        let mut standing = Standing { database: "x".into(), ..Standing::default() };
        let root = tempfile::tempdir().unwrap();
        let (mut manifest, _) = synthetic(root.path());
        let day = Some(Duration::from_hours(24));
        manifest.created = clock::rfc3339(SystemTime::now() - Duration::from_hours(25));
        standing.newest = Some(manifest.clone());
        assert!(standing.complaint(false, day).unwrap().contains("more than 1day"));
        manifest.created = clock::rfc3339(SystemTime::now() - Duration::from_hours(23));
        standing.newest = Some(manifest.clone());
        assert_eq!(standing.complaint(false, day), None);
        manifest.created = "yesterday".into();
        standing.newest = Some(manifest);
        assert!(standing.complaint(false, day).is_some());
    }

    #[test]
    fn what_is_dated_in_the_future_is_not_fresh_and_does_not_hide_what_is() {
        let root = tempfile::tempdir().unwrap();
        let (manifest, _) = synthetic(root.path());
        let dated = |id: &str, at: SystemTime| {
            let manifest = Manifest { id: id.into(), created: clock::rfc3339(at), ..manifest.clone() };
            let mut proof = Verification::of(&manifest, "r", "0");
            proof.outcome = Outcome::Verified;
            Backup {
                id: id.into(),
                manifest: Ok(Box::new(manifest)),
                verification: Some(proof),
                local: None,
                stored: true,
            }
        };
        let (now, year, day) =
            (SystemTime::now(), Duration::from_hours(24 * 365), Some(Duration::from_hours(24)));
        let ahead = || dated("ahead", now + year);
        for verified in [false, true] {
            let alone = Standing::of("x", &[ahead()]);
            assert!(alone.complaint(verified, day).unwrap().contains("has not come yet"));
            assert!(alone.fresh(verified, Duration::MAX).why().is_some());
            assert_eq!(alone.complaint(verified, None), None, "it is there");
            let fresh = Standing::of("x", &[ahead(), dated("now", now)]);
            assert_eq!(fresh.complaint(verified, day), None);
            let old = Standing::of("x", &[ahead(), dated("old", now - year)]);
            assert!(old.complaint(verified, day).unwrap().contains("more than 1day"));
        }
    }

    #[test]
    fn a_backup_of_another_database_does_not_count() {
        let root = tempfile::tempdir().unwrap();
        let _ = synthetic(root.path());
        let other = Standing::of("y", &catalog::local(&Store::at(root.path().to_owned())));
        assert_eq!((other.backups, other.newest.is_none()), (0, true));
    }
}
