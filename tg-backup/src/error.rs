//! What can go wrong, with exit code and cure.

use clap::ValueEnum;
use serde_json::{Value, json};
use tg_core::backup::Error as BackupError;
use tg_core::sql::{WAIT_LONGER, cure};
use tg_core::{Exit, Fault};

use crate::backends::Session;
use crate::belongings::Accept;
use crate::bound;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    #[error(transparent)]
    Backup(BackupError),
    #[error("the server is PostgreSQL {0}; 13 or newer is needed")]
    TooOld(String),
    #[error("no database {0}")]
    NoDatabase(String),
    #[error("{program} failed (exit {code}): {problem}")]
    Client { program: String, code: i64, problem: String },
    #[error("pg_restore could not bring {object} back: {problem}")]
    Object { object: String, problem: String, way: Option<String> },
    #[error("extension {} can be created in database {database} alone, not in one that is to take its place", extensions.join(", "))]
    Bound { database: String, extensions: Vec<String> },
    #[error("{client} is older than the server, PostgreSQL {server}")]
    OldClient { client: String, server: i32 },
    #[error("the structure of {0} was changed while the backup was made")]
    Moving(String),
    #[error("table {table} can't be read: {problem}")]
    Unread { table: String, problem: String },
    #[error("the dump is incomplete: {0}")]
    Incomplete(String),
    #[error("backup {id} could not be verified: {cause}")]
    Unverified { id: String, cause: Box<Error>, made: Option<Value> },
    #[error("the backup was made by the clients of a host, so no image is known to bring it back")]
    NoImage,
    #[error("the image that made the backup is not on this host: {reference} ({id})")]
    ImageGone { id: String, reference: String },
    #[error(transparent)]
    Store(#[from] crate::s3::Error),
    #[error("no store is set")]
    NoStore,
    #[error("the store has not kept {file} of {id}")]
    NotStored { id: String, file: String },
    #[error("backup {id} was not copied to the store: {cause}")]
    Unpushed { id: String, cause: Box<Error>, made: Option<Value> },
    #[error("no incremental backup can be made: {0}")]
    NoIncremental(String),
    #[error("pgBackRest can't be driven: {0}")]
    NoStanza(String),
    #[error("tablespaces {} lie outside the data directory", .0.join(", "))]
    Tablespaces(Vec<String>),
    #[error("{user} may not copy the server's files: {problem}")]
    NoReplication { user: String, problem: String },
    #[error("{0} is a backup of the whole server, not of one database")]
    WholeServer(String),
    #[error("no backup and no rollback point {0}")]
    NotFound(String),
    #[error("database {database} is in use by {}", describe(sessions))]
    InUse { database: String, sessions: Vec<Session> },
    #[error("tables of {database} are locked by {}", describe(sessions))]
    Held { database: String, sessions: Vec<Session> },
    #[error("{} has kept the dump of {database} from a table {attempts} times", describe(sessions))]
    Standoff { database: String, sessions: Vec<Session>, attempts: u32 },
    #[error("what was restored is not what was backed up: {0}")]
    Differs(String),
    #[error("{rows} rows in {tables} tables were written since and would be lost")]
    DataLoss { rows: i64, tables: usize },
    #[error("what was written since transaction {0} can't be told: it is too long ago, or still to come")]
    TooLongAgo(u64),
    #[error("the swap failed and was undone: {0}")]
    Undone(String),
    #[error("the swap failed, and database {database} still refuses connections: {problem}")]
    Stuck { database: String, problem: String, sql: String },
    #[error("{} would be dropped too", lost.join(", "))]
    Belongings { lost: Vec<String>, missing: Vec<Accept> },
    #[error("no replaced database of {0} is kept")]
    NothingKept(String),
}

impl From<tg_core::database::QueryError> for Error {
    fn from(error: tg_core::database::QueryError) -> Self {
        Error::Core(error.into())
    }
}

impl From<BackupError> for Error {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Core(core) => Error::Core(core),
            own => Error::Backup(own),
        }
    }
}

impl Error {
    /// Whether it says that a backup can't come back: what, if that is known, and why.
    pub(crate) fn condemns(&self) -> Option<(Option<String>, String)> {
        match self {
            Error::Backup(BackupError::Damaged { file, problem, .. }) => {
                Some((Some(file.clone()), format!("{file}: {problem}")))
            }
            Error::Backup(BackupError::NotRestorable { object, problem }) => {
                Some((object.clone(), problem.clone()))
            }
            Error::Differs(difference) => Some((None, difference.clone())),
            _ => None,
        }
    }

    /// Whether a statement was cancelled: 57014 is `query_canceled`.
    pub(crate) fn was_cancelled(&self) -> bool {
        self.to_string().contains("[57014]")
    }
}

impl Fault for Error {
    fn exit(&self) -> Exit {
        match self {
            Error::Core(core) => core.exit(),
            Error::Backup(error) => error.exit(),
            Error::Client { .. }
            | Error::Object { .. }
            | Error::Bound { .. }
            | Error::Moving(_)
            | Error::Unread { .. }
            | Error::Incomplete(_)
            | Error::NotStored { .. }
            | Error::NoIncremental(_)
            | Error::Tablespaces(_)
            | Error::WholeServer(_)
            | Error::NotFound(_)
            | Error::InUse { .. }
            | Error::Held { .. }
            | Error::Standoff { .. }
            | Error::Differs(_)
            | Error::NothingKept(_) => Exit::Unchanged,
            Error::Store(error) => error.exit(),
            Error::Unverified { cause, .. } | Error::Unpushed { cause, .. } => cause.exit(),
            Error::NoStore
            | Error::NoStanza(_)
            | Error::NoReplication { .. }
            | Error::NoImage
            | Error::ImageGone { .. }
            | Error::OldClient { .. }
            | Error::TooOld(_)
            | Error::NoDatabase(_) => Exit::Environment,
            Error::DataLoss { .. } | Error::TooLongAgo(_) | Error::Belongings { .. } => Exit::Refused,
            Error::Undone(_) => Exit::Undone,
            Error::Stuck { .. } => Exit::Stuck,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Core(core) => core.code(),
            Error::Backup(error) => error.code(),
            Error::TooOld(_) => "server-too-old",
            Error::NoDatabase(_) => "no-database",
            Error::Client { .. } | Error::Object { .. } => "client-failed",
            Error::Bound { .. } => "bound-to-name",
            Error::OldClient { .. } => "client-too-old",
            Error::Moving(_) => "structure-changed",
            Error::Unread { .. } => "table-unread",
            Error::Incomplete(_) => "incomplete",
            Error::Unverified { .. } => "could-not-verify",
            Error::NoImage => "no-image",
            Error::ImageGone { .. } => "image-gone",
            Error::Store(error) => error.code(),
            Error::NoStore => "no-store",
            Error::NotStored { .. } => "not-stored",
            Error::Unpushed { .. } => "not-copied",
            Error::NoIncremental(_) => "no-incremental",
            Error::NoStanza(_) => "no-stanza",
            Error::Tablespaces(_) => "tablespaces",
            Error::NoReplication { .. } => "no-replication",
            Error::WholeServer(_) => "whole-server",
            Error::NotFound(_) => "not-found",
            Error::InUse { .. } => "in-use",
            Error::Held { .. } => "tables-locked",
            Error::Standoff { .. } => "standoff",
            Error::Differs(_) => "differs",
            Error::DataLoss { .. } => "data-loss",
            Error::TooLongAgo(_) => "too-long-ago",
            Error::Undone(_) => "swap-undone",
            Error::Stuck { .. } => "swap-stuck",
            Error::Belongings { .. } => "not-accepted",
            Error::NothingKept(_) => "nothing-kept",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Core(core) => return core.hint().or_else(|| cure(&core.to_string())),
            Error::Backup(error) => return error.hint(),
            Error::TooOld(_) => "upgrade PostgreSQL first; older ones get no fixes any more".into(),
            Error::NoDatabase(_) => "check the database's name in the URL or in the compose file".into(),
            Error::Client { problem, .. } | Error::Unread { problem, .. } => {
                return cure(problem);
            }
            Error::Object { problem, way, .. } => return way.clone().or_else(|| cure(problem)),
            Error::Bound { database, .. } => bound::way(database),
            Error::OldClient { server, .. } => format!("install postgresql-client-{server}"),
            Error::Moving(_) => "run the same command again when no migration is running".into(),
            Error::Incomplete(_) => "run the same command again; if it stays so, see what -v shows".into(),
            Error::Unverified { cause, .. } => return cause.hint(),
            Error::Store(error) => return error.hint(),
            Error::NoStore => "set x-tg: backup_store or TG_BACKUP_STORE, such as s3://bucket/prefix?region=eu-central-1".into(),
            Error::NotStored { .. } => "run tg-backup push again; if it stays so, look at the store".into(),
            Error::Unpushed { cause, .. } => {
                let cure = cause.hint().map_or(String::new(), |hint| format!("{hint}; "));
                format!("{cure}then run tg-backup push")
            }
            Error::NoImage => "name one with --image, such as postgres:17".into(),
            Error::ImageGone { reference, .. } => {
                format!("docker pull {reference}, or name an image that can bring it back with --image")
            }
            Error::NoIncremental(_) => {
                "make a whole one first, on PostgreSQL 17 or later: ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf(); then tg-backup create --method basebackup".into()
            }
            Error::NoStanza(_) => {
                "set up pgBackRest in the database's container (stanza-create), and name the stanza with x-tg: pgbackrest_stanza".into()
            }
            Error::Tablespaces(_) => "back the database up with --method dump".into(),
            Error::NoReplication { user, .. } => format!(
                "ALTER ROLE {user} REPLICATION, and a line in pg_hba.conf: host replication {user} 127.0.0.1/32 scram-sha-256"
            ),
            Error::WholeServer(id) => format!("follow RECOVERY.md in {id}, or restore a dump"),
            Error::NotFound(_) => "see tg-backup list".into(),
            Error::InUse { .. } => {
                "stop the application, end prepared transactions, then run the same command again".into()
            }
            Error::Held { .. } => WAIT_LONGER.into(),
            Error::Standoff { .. } => {
                "run the same command again when nobody empties or alters tables of this database".into()
            }
            Error::Differs(_) => "restore another one, and keep this one for whoever looks into it".into(),
            Error::DataLoss { .. } => {
                "see the records above; pass --accept-data-loss to lose these rows".into()
            }
            Error::TooLongAgo(_) => "pass --accept-data-loss if you know that nothing is lost".into(),
            Error::Undone(_) => {
                "the database serves as before; look at the reason, then run the same command again".into()
            }
            Error::Stuck { sql, .. } => format!("run as superuser in database postgres: {sql}"),
            Error::Belongings { missing, .. } => {
                let flags: Vec<_> = words(missing).iter().map(|word| format!("--accept {word}")).collect();
                format!(
                    "recreate what is still needed in the database that is live now, then run tg-backup commit {}",
                    flags.join(" ")
                )
            }
            Error::NothingKept(_) => {
                "see tg-backup list; after commit there is no way back but a restore".into()
            }
        })
    }

    fn summary(&self) -> Option<Value> {
        match self {
            Error::Unverified { made, .. } | Error::Unpushed { made, .. } => made.clone(),
            _ => None,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            Error::Core(core) => core.details(),
            Error::Backup(error) => error.details(),
            Error::Unverified { cause, .. } | Error::Unpushed { cause, .. } => {
                Some(json!({"cause": cause.code(), "details": cause.details()}))
            }
            Error::InUse { sessions, .. }
            | Error::Held { sessions, .. }
            | Error::Standoff { sessions, .. } => Some(json!({"sessions": sessions})),
            Error::Belongings { missing, .. } => Some(json!({"needs": words(missing)})),
            Error::DataLoss { rows, tables } => Some(json!({"rows": rows, "tables": tables})),
            Error::Stuck { sql, .. } => Some(json!({"run": sql})),
            Error::Object { object, problem, .. } => Some(json!({"object": object, "problem": problem})),
            Error::TooOld(_)
            | Error::NoImage
            | Error::ImageGone { .. }
            | Error::Store(_)
            | Error::NoIncremental(_)
            | Error::NoStanza(_)
            | Error::Tablespaces(_)
            | Error::NoReplication { .. }
            | Error::WholeServer(_)
            | Error::NoStore
            | Error::NotStored { .. }
            | Error::NoDatabase(_)
            | Error::Client { .. }
            | Error::Bound { .. }
            | Error::OldClient { .. }
            | Error::Moving(_)
            | Error::Unread { .. }
            | Error::Incomplete(_)
            | Error::NotFound(_)
            | Error::Differs(_)
            | Error::TooLongAgo(_)
            | Error::Undone(_)
            | Error::NothingKept(_) => None,
        }
    }
}

/// As they are written on the command line.
fn words(accept: &[Accept]) -> Vec<String> {
    accept.iter().filter_map(|word| Some(word.to_possible_value()?.get_name().to_owned())).collect()
}

pub(crate) fn describe(sessions: &[Session]) -> String {
    let words = sessions.iter().take(5).map(Session::describe).collect::<Vec<_>>().join(", ");
    match sessions.len() {
        0 => "another session".into(),
        n if n > 5 => format!("{words} and {} more", n - 5),
        _ => words,
    }
}
