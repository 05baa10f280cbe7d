//! What a method has taken, before it is a backup.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::facts::Facts;

/// Where what was taken is in a backup, whatever the method.
pub(crate) const DATA: &str = "data";

/// How a backup is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// pg_dump: this database, readable by any later version.
    #[default]
    Dump,
    /// pg_basebackup: the whole server, for databases that outgrow dumps.
    Basebackup,
    /// pgBackRest, where the server's container has it with a stanza: the whole server, kept in its repository.
    Pgbackrest,
}

/// What is special about a copy of a server's files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Physical {
    /// The backup that this one only completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// pgBackRest's names for where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stanza: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether nobody wrote to the server meanwhile: then its tables are those that were read.
    pub still: bool,
    /// Size of all databases, bytes.
    pub server_bytes: i64,
}

#[derive(Default)]
pub(crate) struct Taken {
    pub method: Method,
    pub facts: Facts,
    pub roles: Vec<String>,
    /// `pg_current_snapshot()`.
    pub snapshot: String,
    /// What this transaction and later ones wrote is not in it.
    pub since: u64,
    /// As PostgreSQL's own clients name it.
    pub format: &'static str,
    pub compression: &'static str,
    pub jobs: usize,
    pub physical: Option<Physical>,
}
