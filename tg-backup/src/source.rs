//! What a restore brings back: a backup or a rollback point, named in one of three ways.

use std::collections::HashSet;

use serde_json::json;
use tg_core::backup::Error as BackupError;
use tg_core::backup::manifest::{MANIFEST, Manifest};
use tg_core::backup::order::Stamp;
use tg_core::backup::store::Entry;

use crate::catalog::{self, Backup};
use crate::cli::{RestoreOptions, WhichBackup};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::Error;
use crate::mark::Marked;
use crate::physical::chain;
use crate::point::points;
use crate::remote::{Copy, Remote};

/// What the user asked for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    Id(String),
    Run(String),
    Latest,
    /// A rollback point and no backup; the newest where none is named.
    Point(Option<String>),
}

/// What was found.
pub(crate) enum Source {
    Point(Marked),
    Backup(Backup, Box<Manifest>),
}

impl Wanted {
    pub(crate) fn from(options: &RestoreOptions) -> Self {
        match (&options.id, &options.run) {
            (Some(id), _) => Wanted::Id(id.clone()),
            (None, Some(run)) => Wanted::Run(run.clone()),
            (None, None) => Wanted::Latest,
        }
    }

    /// One backup, the newest where none is named.
    pub(crate) fn of_backup(which: &WhichBackup) -> Self {
        match (&which.id, &which.run) {
            (Some(id), _) => Wanted::Id(id.clone()),
            (None, Some(run)) => Wanted::Run(run.clone()),
            (None, None) => Wanted::Latest,
        }
    }

    /// Whether something of this name and run is it.
    pub(crate) fn matches(&self, id: &str, run: &str) -> bool {
        match self {
            Wanted::Id(wanted) | Wanted::Point(Some(wanted)) => wanted == id,
            Wanted::Run(wanted) => wanted == run,
            Wanted::Latest | Wanted::Point(None) => true,
        }
    }

    /// Whether it means this backup. One that is named is meant whatever database it is of, and told
    /// when it is damaged.
    fn means(&self, backup: &Backup, database: &str) -> bool {
        let ours = backup.manifest.as_ref().is_ok_and(|m| m.database.name == database);
        match self {
            Wanted::Id(id) => backup.id == *id,
            Wanted::Run(run) => ours && backup.manifest.as_ref().is_ok_and(|m| m.run == *run),
            Wanted::Latest => ours,
            Wanted::Point(_) => false,
        }
    }

    /// The backup that it means. The store is asked only where the directory can't tell.
    fn backup(&self, ctx: &Context) -> Result<Option<Backup>, Error> {
        let first = |backups: Vec<Backup>| backups.into_iter().find(|b| self.means(b, &ctx.target.name));
        match self {
            Wanted::Point(_) => Ok(None),
            Wanted::Latest => Ok(first(catalog::all(ctx)?)),
            Wanted::Id(_) | Wanted::Run(_) => match first(catalog::local(&ctx.store)) {
                Some(found) => Ok(Some(found)),
                None => Ok(first(catalog::all(ctx)?)),
            },
        }
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Wanted::Id(id) | Wanted::Point(Some(id)) => id.clone(),
            Wanted::Run(run) => format!("of run {run}"),
            Wanted::Latest | Wanted::Point(None) => "of this database".into(),
        }
    }
}

impl Source {
    pub(crate) fn id(&self) -> &str {
        match self {
            Source::Point(point) => &point.name,
            Source::Backup(backup, _) => &backup.id,
        }
    }

    pub(crate) fn run(&self) -> &str {
        match self {
            Source::Point(point) => &point.mark.run,
            Source::Backup(_, manifest) => &manifest.run,
        }
    }

    /// The server's next transaction when a point was made.
    fn xid(&self) -> Option<u64> {
        match self {
            Source::Point(point) => point.mark.xid.and_then(|xid| u64::try_from(xid).ok()),
            Source::Backup(..) => None,
        }
    }

    fn created(&self) -> &str {
        match self {
            Source::Point(point) => &point.mark.created,
            Source::Backup(_, manifest) => &manifest.created,
        }
    }

    /// The newest that fits; of one run its point, which is younger than its backup.
    pub(crate) fn find(ctx: &Context, cluster: &mut Cluster, wanted: &Wanted) -> Result<Self, Error> {
        let missing = || Error::NotFound(wanted.describe());
        let database = &ctx.target.name;
        let mut points = points(cluster, database)?.into_iter();
        let point = points.rfind(|p| wanted.matches(&p.name, &p.mark.run)).map(Source::Point);
        // One that was named, or made by a run, is found without asking for backups.
        let point = match (point, wanted) {
            (Some(point), Wanted::Id(_) | Wanted::Run(_) | Wanted::Point(_)) => return Ok(point),
            (point, _) => point,
        };
        match (point, wanted.backup(ctx)?) {
            (Some(point), None) => Ok(point),
            (Some(point), Some(backup)) => {
                let newer = is_newer(ctx, cluster, trusted(&backup)?, &point)?;
                if newer { Self::of(backup) } else { Ok(point) }
            }
            (None, Some(backup)) => Self::of(backup),
            (None, None) => Err(missing()),
        }
    }

    fn of(backup: Backup) -> Result<Self, Error> {
        let manifest = Box::new(trusted(&backup)?.clone());
        Ok(Source::Backup(backup, manifest))
    }

    /// The same, fetched where it is in the store only.
    pub(crate) fn here(self, ctx: &Context) -> Result<Self, Error> {
        match self {
            Source::Backup(backup, manifest) if backup.local.is_none() => {
                let (verification, stored) = (backup.verification.clone(), backup.stored);
                let (entry, _) = here(ctx, backup)?;
                let local = Some(entry.path);
                let backup = Backup { id: entry.id, manifest: entry.manifest, verification, local, stored };
                Ok(Source::Backup(backup, manifest))
            }
            source => Ok(source),
        }
    }
}

/// Whether a backup is newer than a point: by the server's transactions where both are of its present
/// history, else by the clock.
fn is_newer(
    ctx: &Context,
    cluster: &mut Cluster,
    manifest: &Manifest,
    point: &Source,
) -> Result<bool, Error> {
    let by_clock = manifest.created.as_str() > point.created();
    let live = match cluster.database(&ctx.target.name) {
        Err(Error::NoDatabase(_)) => return Ok(by_clock),
        live => live?,
    };
    let (counter, mark) = (Stamp::of("", Some(manifest)).counter, point.xid());
    let (Some((history, next)), Some(mark), Some(timeline)) = (counter, mark, live.timeline) else {
        return Ok(by_clock);
    };
    if history != (live.system, timeline) || next == mark {
        return Ok(by_clock);
    }
    if (next > mark) != by_clock {
        let msg = format!(
            "the clock and the server's transactions disagree on which is newer, {} or {}; the transactions decide",
            manifest.id,
            point.id()
        );
        ctx.session.emit.warning("clock", &msg, json!({"ids": [manifest.id, point.id()]}))?;
    }
    Ok(next > mark)
}

/// A manifest that can be believed.
fn trusted(backup: &Backup) -> Result<&Manifest, Error> {
    match &backup.manifest {
        Ok(manifest) => Ok(manifest),
        Err(problem) => {
            let (file, problem) = (MANIFEST.into(), problem.clone());
            Err(BackupError::Damaged { id: backup.id.clone(), file, problem }.into())
        }
    }
}

/// A backup in the directory, or in the store.
pub(crate) fn anywhere(ctx: &Context, wanted: &Wanted) -> Result<Backup, Error> {
    wanted.backup(ctx)?.ok_or_else(|| Error::NotFound(wanted.describe()))
}

/// A backup in the directory alone.
pub(crate) fn local(ctx: &Context, wanted: &Wanted) -> Result<(Entry, Box<Manifest>), Error> {
    let found = catalog::local(&ctx.store).into_iter().find(|b| wanted.means(b, &ctx.target.name));
    here(ctx, found.ok_or_else(|| Error::NotFound(wanted.describe()))?)
}

/// The backup in the directory, fetched where it is in the store only.
pub(crate) fn here(ctx: &Context, backup: Backup) -> Result<(Entry, Box<Manifest>), Error> {
    let manifest = Box::new(trusted(&backup)?.clone());
    let entry = if let Some(entry) = backup.entry() {
        entry
    } else {
        let check = || ctx.session.check("fetching from the store");
        let remote = Remote::of(ctx, &check)?.ok_or(Error::NoStore)?;
        let copy = Copy { id: backup.id, manifest: backup.manifest, verification: backup.verification };
        remote.fetch(ctx, &copy)?
    };
    bases(ctx, &manifest)?;
    Ok((entry, manifest))
}

/// Fetches what an incremental backup stands on, where that is in the store only. What is nowhere is
/// for the proof to tell.
fn bases(ctx: &Context, manifest: &Manifest) -> Result<(), Error> {
    let (mut next, mut seen) = (chain::parent(manifest), HashSet::new());
    while let Some(id) = next.filter(|id| seen.insert(id.clone())) {
        let here = if let Some(entry) = ctx.store.entry(&id) {
            Some(entry)
        } else {
            let check = || ctx.session.check("fetching from the store");
            let Some(remote) = Remote::of(ctx, &check)? else { break };
            remote.copy(&id)?.map(|copy| remote.fetch(ctx, &copy)).transpose()?
        };
        next = here.and_then(|entry| chain::parent(entry.manifest.as_ref().ok()?));
    }
    Ok(())
}
