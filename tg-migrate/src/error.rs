//! What can go wrong while migrating.

use tg_core::bytes::size;
use tg_core::{Exit, Fault};

#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    #[error("image {0} is not on this host")]
    ImageMissing(String),
    #[error(
        "container {container} runs {running}, not {wanted}: its migrations are those of another release"
    )]
    OtherRelease { container: String, running: String, wanted: String },
    #[error("the migrator failed ({status}) and the database is as before: {reason}")]
    FailedClean { status: String, reason: String },
    #[error("the migrator failed ({status}) after it had changed the database: {reason}")]
    FailedDirty { status: String, reason: String, run: String, backup: Option<String> },
    #[error(
        "the migrator failed ({status}), and whether it changed the database can't be told ({unknown}): {reason}"
    )]
    FailedUnknown { status: String, reason: String, unknown: String, run: String, backup: Option<String> },
    #[error("{why}; the migrator was ended, and {}", unknown.as_ref().map_or_else(|| "the database is as before".into(), |u| format!("whether it changed the database can't be told: {u}")))]
    Cut { why: tg_core::Error, unknown: Option<String>, run: String, backup: Option<String> },
    #[error(
        "the migrator was locked out ({status}, {attempts} attempts) and the database is as before: {reason}"
    )]
    LockTimeout { status: String, reason: String, attempts: u32 },
    #[error("no proven backup of {database} in {directory} is younger than {}{}", humantime::format_duration(*limit), newest(*newest_s))]
    NoBackup { database: String, directory: String, newest_s: Option<u64>, limit: std::time::Duration },
    #[error("backup {id} holds no tables: database {database} had none")]
    EmptyBackup { id: String, database: String },
    #[error("the application's database is {} ({}), and not {database}", other.name, other.origin)]
    OtherDatabase { database: String, other: tg_core::database::Other },
    #[error(transparent)]
    Backup(tg_core::backup::Error),
    #[error("no proven dump of {database} in {directory} to rehearse on")]
    NothingToRehearse { database: String, directory: String },
    #[error("no image is known that can bring the backup back")]
    NoImage,
    #[error("it could not be rehearsed: {reason}")]
    Unrehearsed { reason: String, data: serde_json::Value },
    #[error("the rehearsal is not shown to be isolated, and nothing was run: {}", .0.join("; "))]
    NotIsolated(Vec<String>),
    #[error("the rehearsed migrator has a session on the live server, and was killed")]
    Escaped,
    #[error("the rehearsal does not hold any more: {0}")]
    Moved(String),
    #[error("the migration failed when it was rehearsed: {0}")]
    FailedBefore(String),
    #[error("it may need {} beside what is there, and {} is free", size(*needed), size(*free))]
    NoSpace { needed: u64, free: u64 },
    #[error("it would be held up: {}", .0.join("; "))]
    Blocked(Vec<String>),
    #[error("name the run with --run-id or TG_RUN_ID")]
    NoRun,
    #[error("the catalog says what can not be read: {0}")]
    Catalog(String),
    #[error("{0:?} can't be an image tag")]
    NoTag(String),
}

impl From<tg_core::database::QueryError> for MigrateError {
    fn from(error: tg_core::database::QueryError) -> Self {
        MigrateError::Core(error.into())
    }
}

impl From<tg_core::backup::Error> for MigrateError {
    fn from(error: tg_core::backup::Error) -> Self {
        match error {
            tg_core::backup::Error::Core(core) => MigrateError::Core(core),
            own => MigrateError::Backup(own),
        }
    }
}

impl Fault for MigrateError {
    fn exit(&self) -> Exit {
        match self {
            MigrateError::Core(error) => error.exit(),
            MigrateError::Backup(error) => error.exit(),
            MigrateError::ImageMissing(_)
            | MigrateError::NothingToRehearse { .. }
            | MigrateError::NoSpace { .. }
            | MigrateError::Unrehearsed { .. }
            | MigrateError::FailedClean { .. }
            | MigrateError::LockTimeout { .. } => Exit::Unchanged,
            MigrateError::OtherRelease { .. }
            | MigrateError::NoBackup { .. }
            | MigrateError::NotIsolated(_)
            | MigrateError::EmptyBackup { .. }
            | MigrateError::OtherDatabase { .. }
            | MigrateError::Moved(_)
            | MigrateError::FailedBefore(_)
            | MigrateError::Blocked(_) => Exit::Refused,
            MigrateError::Catalog(_) | MigrateError::NoImage => Exit::Environment,
            MigrateError::Cut { why, .. } => why.exit(),
            MigrateError::FailedDirty { .. } | MigrateError::FailedUnknown { .. } | MigrateError::Escaped => {
                Exit::Stuck
            }
            MigrateError::NoRun | MigrateError::NoTag(_) => Exit::Usage,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            MigrateError::Core(error) => error.code(),
            MigrateError::Backup(error) => error.code(),
            MigrateError::NothingToRehearse { .. } => "nothing-to-rehearse",
            MigrateError::Unrehearsed { .. } => "not-rehearsed",
            MigrateError::NotIsolated(_) => "not-isolated",
            MigrateError::Escaped => "escaped",
            MigrateError::NoImage => "no-image",
            MigrateError::ImageMissing(_) => "image-missing",
            MigrateError::OtherRelease { .. } => "other-release",
            MigrateError::FailedClean { .. } => "failed-clean",
            MigrateError::FailedDirty { .. } => "failed-dirty",
            MigrateError::FailedUnknown { .. } => "failed-unknown",
            MigrateError::Cut { why, .. } => why.code(),
            MigrateError::LockTimeout { .. } => "lock-timeout",
            MigrateError::NoBackup { .. } => "no-backup",
            MigrateError::EmptyBackup { .. } => "empty-backup",
            MigrateError::OtherDatabase { .. } => "database-differs",
            MigrateError::Blocked(_) => "blocked",
            MigrateError::Moved(_) => "rehearsal-moved",
            MigrateError::FailedBefore(_) => "failed-in-rehearsal",
            MigrateError::NoSpace { .. } => "no-space",
            MigrateError::NoRun => "no-run",
            MigrateError::Catalog(_) => "catalog",
            MigrateError::NoTag(_) => "no-tag",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            MigrateError::Core(error) => error.hint(),
            MigrateError::Backup(error) => error.hint(),
            MigrateError::NothingToRehearse { .. } => Some("make one: tg-backup create --verify; or take one that is not proven with --unverified".into()),
            MigrateError::Unrehearsed { .. } => Some("see the records above: the application must be well on its own schema, and reach its database by a name or a socket".into()),
            MigrateError::NotIsolated(_) => Some(
                "close what is named: mount plain files only, and let servers of this host listen on no address that its containers reach".into(),
            ),
            MigrateError::Escaped => Some(
                "compare the live schema with one from before (tg-migrate diff), and put the database back where it differs: tg-backup restore".into(),
            ),
            MigrateError::Moved(_) => Some("rehearse it again: tg-migrate rehearse".into()),
            MigrateError::FailedBefore(_) => Some("this release can't be migrated to; ask its vendor".into()),
            MigrateError::NoSpace { .. } => Some("free disk space where the database is".into()),
            MigrateError::NoImage => Some("start the database, whose image is taken".into()),
            MigrateError::ImageMissing(_) => Some("pull it first: tg-swap pull --to VERSION".into()),
            MigrateError::OtherRelease { .. } => {
                Some("leave --exec out: the one-shot service then runs the target release".into())
            }
            MigrateError::FailedClean { .. } => {
                Some("the lines of the migrator above say why; nothing has to be undone".into())
            }
            MigrateError::FailedDirty { run, backup, .. } => {
                Some(format!("put the database back: {}", way_back(run, backup.as_deref())))
            }
            MigrateError::FailedUnknown { run, backup, .. }
            | MigrateError::Cut { unknown: Some(_), run, backup, .. } => {
                Some(format!("treat it as changed, and put the database back: {}", way_back(run, backup.as_deref())))
            }
            MigrateError::Cut { why, .. } => why.hint(),
            MigrateError::LockTimeout { .. } => Some(
                "run it again when less goes on; tg-migrate preflight names who is in the way, --retries tries by itself".into(),
            ),
            MigrateError::NoBackup { .. } => Some(
                "tg-backup create --verify; or name what you do without: --accept unverified-backup, --accept no-backup".into(),
            ),
            MigrateError::EmptyBackup { .. } => Some(
                "tg-backup databases tells which database holds the application's data; pass --accept empty-database where none does yet".into(),
            ),
            MigrateError::OtherDatabase { .. } => Some(
                "name the application's database in the URL file, or pass --accept other-database".into(),
            ),
            MigrateError::Blocked(_) => {
                Some("wait until they end, or end them (pg_terminate_backend); --accept blockers goes on".into())
            }
            MigrateError::Catalog(_) => None,
            MigrateError::NoRun => Some("the run stands in every line that the tools print".into()),
            MigrateError::NoTag(_) => Some("write the release as in the registry, such as 1.5.0".into()),
        }
    }

    fn retryable(&self) -> bool {
        match self {
            MigrateError::Core(error) => error.retryable(),
            MigrateError::LockTimeout { .. } | MigrateError::Blocked(_) => true,
            _ => false,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            MigrateError::Core(error) => error.details(),
            MigrateError::Backup(error) => error.details(),
            MigrateError::Unrehearsed { data, .. } => Some(data.clone()),
            _ => None,
        }
    }
}

/// The commands that put the database back.
fn way_back(run: &str, backup: Option<&str>) -> String {
    let older = backup.map_or(String::new(), |id| format!(", or tg-backup restore {id}"));
    format!("tg-backup restore --run {run} --accept-data-loss{older}")
}

fn newest(age_s: Option<u64>) -> String {
    age_s.map_or(String::new(), |s| {
        format!("; the newest is {} old", humantime::format_duration(std::time::Duration::from_secs(s)))
    })
}
