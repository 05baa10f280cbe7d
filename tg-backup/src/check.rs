//! An answer for gates and monitors: is there a backup that can be relied on?

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tg_core::backup::Error as BackupError;
use tg_core::backup::Verification;
use tg_core::backup::manifest::Manifest;
use tg_core::clock;
use tg_core::{Answer, Session, atomic_file};

use crate::catalog::Backup;
use crate::cli::{CheckOptions, Cli};
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
    pub newest: Option<Manifest>,
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
            if standing.newest.is_none() {
                standing.newest = Some((**manifest).clone());
            }
            if standing.newest_verified.is_none()
                && let Some(proof) = backup.verification.clone().filter(Verification::is_good)
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

    /// Why the answer is no; nothing where it is yes.
    fn complaint(&self, verified: bool, max_age: Option<Duration>) -> Option<String> {
        let kind = if verified { "verified backup" } else { "backup" };
        let Some(manifest) = self.counts(verified) else {
            return Some(format!("there is no {kind} of {}", self.database));
        };
        let age = clock::age_s(&manifest.created).map(Duration::from_secs);
        match (max_age, age) {
            (Some(limit), Some(age)) if age > limit => Some(format!(
                "the newest {kind} of {} is {} old, more than {}",
                self.database,
                humantime::format_duration(age),
                humantime::format_duration(limit)
            )),
            (Some(_), None) => Some(format!("the time of {} can't be read", manifest.id)),
            _ => None,
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
    let mut complaint = standing.complaint(options.verified, options.max_age);
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
    json!({
        "changed": false, "database": standing.database, "backups": standing.backups, "damaged": standing.damaged,
        "newest": standing.newest.as_ref().map(told),
        "newest_verified": standing.newest_verified.as_ref().map(|(manifest, _)| told(manifest)),
        "max_age_s": options.max_age.map(|age| age.as_secs()), "verified": options.verified, "reason": complaint,
    })
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
    fn a_backup_of_another_database_does_not_count() {
        let root = tempfile::tempdir().unwrap();
        let _ = synthetic(root.path());
        let other = Standing::of("y", &catalog::local(&Store::at(root.path().to_owned())));
        assert_eq!((other.backups, other.newest.is_none()), (0, true));
    }
}
