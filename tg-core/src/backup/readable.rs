//! A backup's files as a client of PostgreSQL can read them: as they lie there, or decrypted on their way.

use std::fs;
use std::path::PathBuf;

use crate::backup::crypt::Identities;
use crate::backup::error::Error;
use crate::backup::manifest::Manifest;
use crate::backup::sealed::Sealed;
use crate::backup::store::Entry;

/// How they can be read.
pub enum Readable {
    /// By anybody who may read this directory.
    Plain(PathBuf),
    /// After they have been decrypted.
    Sealed(Sealed),
}

impl Readable {
    /// Of this backup, by these identities; a stranger is told so at once.
    pub fn of(entry: &Entry, manifest: &Manifest, identities: &Identities) -> Result<Self, Error> {
        if manifest.recipients.is_empty() {
            Ok(Readable::Plain(entry.path.clone()))
        } else {
            Sealed::of(entry, manifest, identities).map(Readable::Sealed)
        }
    }

    /// A small text among them, decrypted in memory where that is needed; nothing where it can't be read.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        match self {
            Readable::Plain(path) => fs::read_to_string(path.join(name)).ok(),
            Readable::Sealed(sealed) => sealed.text(name),
        }
    }
}
