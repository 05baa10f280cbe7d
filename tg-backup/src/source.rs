//! What a restore brings back: a backup or a rollback point, named in one of three ways.

use crate::cli::{RestoreOptions, WhichBackup};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::Error;
use crate::manifest::{MANIFEST, Manifest};
use crate::mark::Marked;
use crate::names::Kind;
use crate::store::Entry;

/// What the user asked for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    Id(String),
    Run(String),
    Latest,
}

/// What was found.
pub(crate) enum Source {
    Point(Marked),
    Backup(Entry, Box<Manifest>),
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
            Wanted::Id(wanted) => wanted == id,
            Wanted::Run(wanted) => wanted == run,
            Wanted::Latest => true,
        }
    }

    /// The backup that it means.
    fn backup(&self, ctx: &Context) -> Option<Entry> {
        let database = &ctx.target.name;
        match self {
            // One that was named is taken whatever database it is of, and told when it is damaged.
            Wanted::Id(id) => ctx.store.entry(id),
            Wanted::Run(run) => ctx.store.of_run(run, database),
            Wanted::Latest => {
                let ours = |e: &Entry| e.manifest.as_ref().is_ok_and(|m| m.database.name == *database);
                ctx.store.list().into_iter().find(ours)
            }
        }
    }

    fn describe(&self) -> String {
        match self {
            Wanted::Id(id) => id.clone(),
            Wanted::Run(run) => format!("of run {run}"),
            Wanted::Latest => "of this database".into(),
        }
    }
}

impl Source {
    pub(crate) fn id(&self) -> &str {
        match self {
            Source::Point(point) => &point.name,
            Source::Backup(entry, _) => &entry.id,
        }
    }

    pub(crate) fn run(&self) -> &str {
        match self {
            Source::Point(point) => &point.mark.run,
            Source::Backup(_, manifest) => &manifest.run,
        }
    }

    fn of((entry, manifest): (Entry, Box<Manifest>)) -> Self {
        Source::Backup(entry, manifest)
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
        let mut points = cluster.marked(database)?.into_iter().filter(|m| m.mark.tg == Kind::Point);
        let point = points.rfind(|p| wanted.matches(&p.name, &p.mark.run)).map(Source::Point);
        let backup = wanted.backup(ctx);
        match (point, backup) {
            (Some(point), None) => Ok(point),
            (Some(point), Some(backup)) => {
                let backup = Self::of(trusted(backup)?);
                let newer = matches!(wanted, Wanted::Latest) && backup.created() > point.created();
                Ok(if newer { backup } else { point })
            }
            (None, Some(backup)) => Ok(Self::of(trusted(backup)?)),
            (None, None) => Err(missing()),
        }
    }
}

/// A backup with a manifest that can be believed.
pub(crate) fn backup(ctx: &Context, wanted: &Wanted) -> Result<(Entry, Box<Manifest>), Error> {
    trusted(wanted.backup(ctx).ok_or_else(|| Error::NotFound(wanted.describe()))?)
}

fn trusted(entry: Entry) -> Result<(Entry, Box<Manifest>), Error> {
    match &entry.manifest {
        Ok(manifest) => {
            let manifest = manifest.clone();
            Ok((entry, manifest))
        }
        Err(problem) => Err(Error::Damaged { id: entry.id, file: MANIFEST.into(), problem: problem.clone() }),
    }
}
