//! How a backup was made.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Where what was taken is in a backup, whatever the method.
pub const DATA: &str = "data";
/// Roles, their settings and grants, and tablespaces, which no dump of one database holds.
pub const GLOBALS: &str = "globals.sql";

/// The dump's table of contents, for people and for `pg_restore --use-list`.
pub const CONTENTS: &str = "contents.txt";

/// How a backup is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
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
pub struct Physical {
    /// The backup that this one only completes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// pgBackRest's name for the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stanza: Option<String>,
    /// pgBackRest's name for the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether nobody wrote to the server meanwhile: then its tables are those that were read.
    pub still: bool,
    /// Size of all databases, bytes.
    pub server_bytes: i64,
}
