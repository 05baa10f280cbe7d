//! Copies of backups in an object store. As in the directory, only a manifest makes one exist: it is
//! written last and removed first.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::json;
use tg_core::backup::Error as BackupError;
use tg_core::backup::manifest::{MANIFEST, Manifest};
use tg_core::backup::store::Entry;
use tg_core::backup::verification::{self, Verification};
use tg_core::project::Project;
use tg_core::settings::process_env;
use tg_core::{Error as CoreError, Session, atomic_file};

use crate::context::Context;
use crate::error::Error;
use crate::s3::{Bucket, Check, Credentials};

const KEY: &str = "backup_store";
/// A manifest has a few hundred bytes for each table and each file.
const LARGEST_MANIFEST: usize = 256 << 20;

/// Where copies go, and who may write there.
pub(crate) struct Place {
    url: String,
    /// Where it is set.
    origin: String,
    credentials: Credentials,
}

impl Place {
    /// From `backup_store`; nothing where none is named. Secrets are learnt before anything is said.
    pub(crate) fn of(session: &Session, project: &Project) -> Result<Option<Self>, Error> {
        let settings = project.settings();
        let Some(url) = settings.string(None, KEY)? else { return Ok(None) };
        let wrong =
            |problem: String| CoreError::Setting { key: KEY.into(), origin: settings.origin(KEY), problem };
        let credentials = Credentials::lookup(process_env).map_err(wrong)?;
        for secret in credentials.secrets() {
            session.emit.redactor().learn(secret);
        }
        let place = Place { url, origin: settings.origin(KEY), credentials };
        place.open(&|| Ok(()))?;
        Ok(Some(place))
    }

    fn open<'a>(&self, check: Check<'a>) -> Result<Bucket<'a>, Error> {
        let wrong = |problem| CoreError::Setting { key: KEY.into(), origin: self.origin.clone(), problem };
        Ok(Bucket::open(&self.url, &self.credentials, check).map_err(wrong)?)
    }
}

/// A copy in the store.
pub(crate) struct Copy {
    pub id: String,
    pub manifest: Result<Box<Manifest>, String>,
    pub verification: Option<Verification>,
}

pub(crate) struct Remote<'a> {
    bucket: Bucket<'a>,
}

impl<'a> Remote<'a> {
    /// The store of this project, if it has one; the check is asked whether to go on.
    pub(crate) fn of(ctx: &Context, check: Check<'a>) -> Result<Option<Self>, Error> {
        let Some(place) = Place::of(ctx.session, &ctx.project)? else { return Ok(None) };
        Ok(Some(Remote { bucket: place.open(check)? }))
    }

    /// Every copy, newest first.
    pub(crate) fn list(&self) -> Result<Vec<Copy>, Error> {
        let prefixes = self.bucket.list("", Some("/"))?.prefixes;
        let mut ids: Vec<&str> = prefixes.iter().map(|prefix| prefix.trim_end_matches('/')).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let mut copies = Vec::new();
        for id in ids {
            copies.extend(self.copy(id)?);
        }
        Ok(copies)
    }

    /// One copy; nothing where there is no manifest (yet, or any more).
    pub(crate) fn copy(&self, id: &str) -> Result<Option<Copy>, Error> {
        let Some(text) = self.text(&format!("{id}/{MANIFEST}"))? else { return Ok(None) };
        let manifest = Manifest::parse(&text).map(Box::new);
        let verification = match &manifest {
            Ok(manifest) => self
                .text(&format!("{id}/{}", verification::FILE))?
                .and_then(|text| Verification::parse(&text, manifest)),
            Err(_) => None,
        };
        Ok(Some(Copy { id: id.to_owned(), manifest, verification }))
    }

    fn text(&self, key: &str) -> Result<Option<String>, Error> {
        let bytes = self.bucket.get_bytes(key, LARGEST_MANIFEST)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Copies a backup there: what is there already is not sent again. How many bytes were sent.
    pub(crate) fn push(&self, ctx: &Context, entry: &Entry, manifest: &Manifest) -> Result<u64, Error> {
        let id = &entry.id;
        let _read = entry.hold()?;
        if self.text(&format!("{id}/{MANIFEST}"))?.is_some() {
            self.push_record(entry)?;
            return Ok(0);
        }
        let there = self.sizes(id)?;
        let (mut sent, mut done, total) = (0, 0, manifest.bytes());
        for file in &manifest.files {
            ctx.session.check("copying the backup to the store")?;
            // A file of a backup never changes, and an object appears whole.
            if there.get(&file.path) != Some(&file.bytes) {
                if let Some(problem) = file.damage(&entry.path) {
                    return Err(
                        BackupError::Damaged { id: id.clone(), file: file.path.clone(), problem }.into()
                    );
                }
                self.bucket.put(&format!("{id}/{}", file.path), &entry.path.join(&file.path))?;
                sent += file.bytes;
            }
            done += file.bytes;
            ctx.session.emit.progress("copying to the store", done, total, "bytes")?;
        }
        let there = self.sizes(id)?;
        if let Some(file) = manifest.files.iter().find(|f| there.get(&f.path) != Some(&f.bytes)) {
            return Err(Error::NotStored { id: id.clone(), file: file.path.clone() });
        }
        self.push_record(entry)?;
        self.bucket.put(&format!("{id}/{MANIFEST}"), &entry.path.join(MANIFEST))?;
        Ok(sent)
    }

    /// The proof of a backup, beside its copy.
    pub(crate) fn push_record(&self, entry: &Entry) -> Result<(), Error> {
        let path = entry.path.join(verification::FILE);
        match fs::read(&path) {
            Ok(text) => Ok(self.bucket.put_bytes(&format!("{}/{}", entry.id, verification::FILE), &text)?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(CoreError::file(&path, &e).into()),
        }
    }

    /// Bytes of each object of a backup, by its name in it.
    fn sizes(&self, id: &str) -> Result<HashMap<String, u64>, Error> {
        let prefix = format!("{id}/");
        let objects = self.bucket.list(&prefix, None)?.objects;
        let named = |key: String| key.strip_prefix(&prefix).unwrap_or(&key).to_owned();
        Ok(objects.into_iter().map(|object| (named(object.key), object.bytes)).collect())
    }

    /// Brings a copy into the directory of backups, as a backup like any other.
    pub(crate) fn fetch(&self, ctx: &Context, copy: &Copy) -> Result<Entry, Error> {
        let manifest = copy.manifest.as_ref().map_err(|problem| BackupError::Damaged {
            id: copy.id.clone(),
            file: MANIFEST.into(),
            problem: problem.clone(),
        })?;
        let intent = json!({"id": copy.id, "bytes": manifest.bytes()});
        ctx.change("fetch", &format!("fetch {} from the store", copy.id), intent, || {
            atomic_file::make_dir(ctx.store.root())?;
            let partial = ctx.store.partial(&copy.id)?;
            let (mut done, total) = (0, manifest.bytes());
            for file in &manifest.files {
                self.file(&copy.id, &file.path, &partial.path)?;
                if let Some(problem) = file.damage(&partial.path) {
                    let file = file.path.clone();
                    return Err(BackupError::Damaged { id: copy.id.clone(), file, problem }.into());
                }
                done += file.bytes;
                ctx.session.emit.progress("fetching from the store", done, total, "bytes")?;
            }
            if let Some(proof) = &copy.verification {
                proof.write(&partial.path)?;
            }
            self.file(&copy.id, MANIFEST, &partial.path)?;
            let path = partial.publish()?;
            let entry = Entry { id: copy.id.clone(), path, manifest: Ok(manifest.clone()) };
            Ok((entry, json!({"id": copy.id, "bytes": total})))
        })
    }

    fn file(&self, id: &str, name: &str, directory: &Path) -> Result<(), Error> {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| CoreError::file(parent, &e))?;
        }
        Ok(self.bucket.get(&format!("{id}/{name}"), &path)?)
    }

    /// Removes a copy: in one moment it is none any more, then its objects go.
    pub(crate) fn remove(&self, id: &str) -> Result<(), Error> {
        self.bucket.delete(&[format!("{id}/{MANIFEST}")])?;
        let keys: Vec<String> = self.sizes(id)?.into_keys().map(|name| format!("{id}/{name}")).collect();
        Ok(self.bucket.delete(&keys)?)
    }
}
