//! What can be wrong with a backup, or with the server that it is restored into.

use serde_json::{Value, json};

use crate::bytes::size;
use crate::database::QueryError;
use crate::{Error as CoreError, Exit, Fault, sql};

#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message above a variant says what each of its fields holds")]
pub enum Error {
    /// What is below any tool.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// Too little room.
    #[error("{directory} has {} free, the backup may need {}", size(*free), size(*needed))]
    NoSpace { directory: String, free: u64, needed: u64 },
    /// A file is not as it was written.
    #[error("backup {id} is damaged: {file}: {problem}")]
    Damaged { id: String, file: String, problem: String },
    /// PostgreSQL can't bring it back.
    #[error("what pg_restore makes of it is not what was dumped{}: {problem}", object.as_ref().map_or(String::new(), |o| format!(" ({o})")))]
    NotRestorable { object: Option<String>, problem: String },
    /// Says nothing about the backup.
    #[error("{step} failed in the throwaway server (exit {code}): {problem}")]
    Throwaway { step: String, code: i64, problem: String },
    /// Says nothing about the backup.
    #[error("image {image} has no {missing}")]
    Image { image: String, missing: String },
    /// Says nothing about the backup.
    #[error("the throwaway server ran out of its memory")]
    OutOfMemory,
    /// Nobody here can read it.
    #[error("backup {id} is encrypted for {}", recipients.join(", "))]
    Encrypted { id: String, recipients: Vec<String> },
    /// Somebody else can read it.
    #[error("the backup is not encrypted for the identity that was given")]
    NotForUs,
}

impl From<QueryError> for Error {
    fn from(error: QueryError) -> Self {
        Error::Core(error.into())
    }
}

impl Fault for Error {
    fn exit(&self) -> Exit {
        match self {
            Error::Core(core) => core.exit(),
            Error::Encrypted { .. } | Error::NotForUs | Error::Image { .. } => Exit::Environment,
            _ => Exit::Unchanged,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Core(core) => core.code(),
            Error::NoSpace { .. } => "no-space",
            Error::Damaged { .. } => "damaged",
            Error::NotRestorable { .. } => "not-restorable",
            Error::Throwaway { .. } => "throwaway-server",
            Error::Image { .. } => "image-unfit",
            Error::OutOfMemory => "out-of-memory",
            Error::Encrypted { .. } => "encrypted",
            Error::NotForUs => "wrong-identity",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Core(core) => return core.hint().or_else(|| sql::cure(&core.to_string())),
            Error::Throwaway { problem, .. } => return sql::cure(problem),
            Error::NoSpace { .. } => {
                "free disk space there; where it is the directory of backups, --backup-dir names another".into()
            }
            Error::Damaged { .. } => {
                "restore another one; tg-backup list --check shows which are intact".into()
            }
            Error::NotRestorable { .. } => {
                "correct it in the database and make another backup; a function that is not found wants ALTER FUNCTION … SET search_path".into()
            }
            Error::Image { .. } => {
                "put the directory of PostgreSQL's server programs into PATH in the image, or name an image of the same or a later version with --image".into()
            }
            Error::OutOfMemory => "give it more with --memory".into(),
            Error::Encrypted { .. } | Error::NotForUs => {
                "name the file with the identity of one of its recipients with --identity".into()
            }
        })
    }

    fn retryable(&self) -> bool {
        matches!(self, Error::Core(core) if core.retryable())
    }

    fn details(&self) -> Option<Value> {
        match self {
            Error::Core(core) => core.details(),
            Error::NoSpace { free, needed, .. } => Some(json!({"free_bytes": free, "needed_bytes": needed})),
            Error::Damaged { id, file, problem } => Some(json!({"id": id, "file": file, "problem": problem})),
            Error::NotRestorable { object, problem } => Some(json!({"object": object, "problem": problem})),
            _ => None,
        }
    }
}
