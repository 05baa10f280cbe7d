//! What turns a finished dump into a backup: hashes, the way to recover without us, the manifest
//! last, and the name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use serde_json::json;
use tg_core::atomic_file;
use tg_core::backup::database::Database;
use tg_core::backup::digest::{self, FileEntry};
use tg_core::backup::manifest::{self, Image, Manifest};
use tg_core::backup::relative::Relative;
use tg_core::backup::store::Partial;

use crate::context::Context;
use crate::error::Error;
use crate::recovery;
use crate::taken::Taken;

/// For `sha256sum -c`.
const SUMS: &str = "SHA256SUMS";
const RECOVERY: &str = "RECOVERY.md";

/// What is known of the backup by now.
pub(crate) struct Facts<'a> {
    pub id: &'a str,
    pub database: Database,
    pub taken: Taken,
    /// When its snapshot was taken, within moments.
    pub at: SystemTime,
    pub begun: Instant,
    /// For whom it is encrypted.
    pub recipients: Vec<String>,
}

pub(crate) fn run(ctx: &Context, partial: Partial, facts: Facts) -> Result<(Manifest, PathBuf), Error> {
    let intent = json!({"id": facts.id});
    ctx.change("publish", &format!("hash and publish {}", facts.id), intent, || {
        let created = tg_core::clock::rfc3339(facts.at);
        let text = recovery::text(&facts, &created);
        atomic_file::write(&partial.path.join(RECOVERY), text.as_bytes())?;
        let mut files = digest::seal(&partial.path)?;
        files.push(sums(&partial.path, &files)?);
        let mut manifest = manifest(ctx, facts, created, files)?;
        manifest.write(&partial.path)?;
        let path = partial.publish()?;
        let data = json!({"id": manifest.id, "bytes": manifest.bytes(), "files": manifest.files.len()});
        Ok(((manifest, path), data))
    })
}

fn sums(directory: &Path, files: &[FileEntry]) -> Result<FileEntry, Error> {
    let mut text = String::new();
    for file in files {
        let _ = writeln!(text, "{}  {}", file.sha256, file.path);
    }
    atomic_file::write(&directory.join(SUMS), text.as_bytes())?;
    let sha256 =
        digest::of(&mut text.as_bytes()).map_err(|e| tg_core::Error::file(directory.join(SUMS), &e))?;
    let path =
        Relative::parse(SUMS).map_err(|problem| tg_core::Error::File { path: SUMS.into(), problem })?;
    Ok(FileEntry { path, bytes: text.len() as u64, sha256 })
}

fn manifest(ctx: &Context, facts: Facts, created: String, files: Vec<FileEntry>) -> Result<Manifest, Error> {
    let held = facts.taken.facts;
    let image = ctx.target.container.as_ref().map(|container| -> Result<Image, Error> {
        let known = ctx.engine()?.image(&container.image_id)?.unwrap_or_default();
        Ok(Image {
            id: container.image_id.clone(),
            reference: container.image.clone(),
            digests: known.digests,
        })
    });
    Ok(Manifest {
        v: manifest::VERSION,
        id: facts.id.into(),
        run: ctx.session.run.clone(),
        created,
        tool_version: crate::VERSION.into(),
        database: facts.database,
        image: image.transpose()?,
        method: facts.taken.method,
        physical: facts.taken.physical,
        format: facts.taken.format.into(),
        compression: facts.taken.compression.into(),
        snapshot: facts.taken.snapshot,
        since_xid: facts.taken.since,
        tables: held.tables,
        sequences: held.sequences,
        extensions: held.extensions,
        large_objects: held.large_objects,
        views: held.views,
        roles: facts.taken.roles,
        jobs: facts.taken.jobs,
        recipients: facts.recipients,
        files,
        duration_ms: tg_core::clock::milliseconds(facts.begun),
        hash: String::new(),
    })
}
