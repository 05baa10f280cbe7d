//! A backup's files as a client of PostgreSQL can read them: as they lie there, or decrypted beside
//! it for as long as they are needed.

use std::path::{Path, PathBuf};

use crate::backup::crypt::Identities;
use crate::backup::error::Error;
use crate::backup::manifest::Manifest;
use crate::backup::store::{Entry, Partial, Store};

/// Where they are.
pub struct Readable {
    path: PathBuf,
    /// Removed with the value.
    _decrypted: Option<Partial>,
}

impl Readable {
    /// Decrypts what is encrypted, into the store.
    pub fn of(
        store: &Store,
        entry: &Entry,
        manifest: &Manifest,
        identities: &Identities,
    ) -> Result<Self, Error> {
        if manifest.recipients.is_empty() {
            return Ok(Readable { path: entry.path.clone(), _decrypted: None });
        }
        if identities.is_empty() {
            return Err(Error::Encrypted { id: entry.id.clone(), recipients: manifest.recipients.clone() });
        }
        let partial = store.partial(&format!("{}-decrypted", entry.id))?;
        let files = manifest.files.iter().map(|file| &file.path);
        identities.decrypt(files, &entry.path, &partial.path)?;
        Ok(Readable { path: partial.path.clone(), _decrypted: Some(partial) })
    }

    /// Their directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
