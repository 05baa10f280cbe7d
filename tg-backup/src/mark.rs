//! What we write on a database of ours, as its comment: who made it, from what, for which run.
//! The server keeps it with the database, so no file of ours can disagree with it.

use serde::{Deserialize, Serialize};

use crate::names::Kind;

/// The comment of a database of ours, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub tg: Kind,
    /// The live database that it belongs to.
    pub of: String,
    /// The run that made it.
    pub run: String,
    /// RFC 3339.
    pub created: String,
    /// Of a point: the next transaction identifier (64 bits) when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xid: Option<i64>,
    /// Of a point: the next one after it was made. As long as it stays the next, nobody has written
    /// anything in the whole server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<i64>,
    /// Of a new or old one: the backup or point that was brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The run that made that source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_run: Option<String>,
    /// Of an old one: the oid of the database that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<u32>,
    /// Of an old one: `restore` or `undo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The live database was closed for a swap with this one, which has not happened yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closing: bool,
    /// The comment that the database has when it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Mark {
    pub(crate) fn new(tg: Kind, of: &str, run: &str) -> Self {
        Mark {
            tg,
            of: of.into(),
            run: run.into(),
            created: tg_core::clock::rfc3339(std::time::SystemTime::now()),
            xid: None,
            quiet: None,
            source: None,
            source_run: None,
            replaced_by: None,
            action: None,
            closing: false,
            comment: None,
        }
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A database with our mark on it.
#[derive(Clone, Debug)]
pub(crate) struct Marked {
    pub oid: u32,
    pub name: String,
    /// Bytes; 0 where we may not ask.
    pub bytes: i64,
    pub mark: Mark,
}
