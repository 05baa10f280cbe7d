//! A backup's files as a client of PostgreSQL can read them: as they lie there, or decrypted beside
//! it for as long as they are needed.

use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::crypt::Identities;
use crate::error::Error;
use crate::manifest::Manifest;
use crate::store::{Entry, Partial};

pub(crate) struct Readable {
    path: PathBuf,
    /// Removed with the value.
    _decrypted: Option<Partial>,
}

impl Readable {
    pub(crate) fn of(
        ctx: &Context,
        entry: &Entry,
        manifest: &Manifest,
        identities: Option<&Identities>,
    ) -> Result<Self, Error> {
        if manifest.recipients.is_empty() {
            return Ok(Readable { path: entry.path.clone(), _decrypted: None });
        }
        let own = if identities.is_none() { ctx.identities()? } else { Identities::default() };
        let identities = identities.unwrap_or(&own);
        if identities.is_empty() {
            return Err(Error::Encrypted { id: entry.id.clone(), recipients: manifest.recipients.clone() });
        }
        ctx.session.check("decrypting the backup")?;
        let partial = ctx.store.partial(&format!("{}-decrypted", entry.id))?;
        let files = manifest.files.iter().map(|file| file.path.as_str());
        identities.decrypt(files, &entry.path, &partial.path)?;
        Ok(Readable { path: partial.path.clone(), _decrypted: Some(partial) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
