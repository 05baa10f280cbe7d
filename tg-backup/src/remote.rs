//! Copies of backups in an object store. As in the directory, only a manifest makes one exist: it is
//! written last and removed first.

use std::collections::HashMap;
use std::path::Path;

use serde_json::json;
use tg_core::backup::Error as BackupError;
use tg_core::backup::manifest::{self, MANIFEST, Manifest};
use tg_core::backup::relative::{Relative, is_name};
use tg_core::backup::store::Entry;
use tg_core::backup::tree::Tree;
use tg_core::backup::verification::{self, Verification};
use tg_core::project::Project;
use tg_core::settings::process_env;
use tg_core::{Error as CoreError, Session, atomic_file, bytes};

use crate::context::Context;
use crate::error::Error;
use crate::s3::{Bucket, Check, Credentials};

const KEY: &str = "backup_store";

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
        let mut ids: Vec<&str> = prefixes.iter().filter_map(|prefix| prefix.strip_suffix('/')).collect();
        // What has no name of ours is none of ours.
        ids.retain(|id| is_name(id));
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
        let bytes = self.bucket.get_bytes(key, manifest::LONGEST)?;
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
        let tree = tree(&entry.path)?;
        let there = self.sizes(id)?;
        let (mut sent, mut done, total) = (0, 0, manifest.bytes());
        for file in &manifest.files {
            ctx.session.check("copying the backup to the store")?;
            // A file of a backup never changes, and an object appears whole.
            if there.get(file.path.as_str()) != Some(&file.bytes) {
                if let Some(problem) = file.damage(&entry.path) {
                    return Err(BackupError::Damaged {
                        id: id.clone(),
                        file: file.path.to_string(),
                        problem,
                    }
                    .into());
                }
                self.put(&tree, entry, &file.path)?;
                sent += file.bytes;
            }
            done += file.bytes;
            ctx.session.emit.progress("copying to the store", done, total, "bytes")?;
        }
        let there = self.sizes(id)?;
        if let Some(file) = manifest.files.iter().find(|f| there.get(f.path.as_str()) != Some(&f.bytes)) {
            return Err(Error::NotStored { id: id.clone(), file: file.path.to_string() });
        }
        self.push_record(entry)?;
        self.put(&tree, entry, &own(MANIFEST)?)?;
        Ok(sent)
    }

    fn put(&self, tree: &Tree, entry: &Entry, path: &Relative) -> Result<(), Error> {
        let whole = entry.path.join(path);
        let file = tree.file(path).map_err(|e| CoreError::file(&whole, &e))?;
        Ok(self.bucket.put(&format!("{}/{path}", entry.id), &file, &whole)?)
    }

    /// The proof of a backup, beside its copy.
    pub(crate) fn push_record(&self, entry: &Entry) -> Result<(), Error> {
        let path = entry.path.join(verification::FILE);
        match tree(&entry.path)?.text(&own(verification::FILE)?, manifest::LONGEST) {
            Ok(text) => {
                Ok(self.bucket.put_bytes(&format!("{}/{}", entry.id, verification::FILE), text.as_bytes())?)
            }
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
            room(ctx.store.root(), manifest)?;
            let partial = ctx.store.partial(&copy.id)?;
            let (mut done, total) = (0, manifest.bytes());
            let tree = tree(&partial.path)?;
            for file in &manifest.files {
                self.get((&tree, &partial.path), &copy.id, &file.path, file.bytes)?;
                if let Some(problem) = file.damage(&partial.path) {
                    let file = file.path.to_string();
                    return Err(BackupError::Damaged { id: copy.id.clone(), file, problem }.into());
                }
                done += file.bytes;
                ctx.session.emit.progress("fetching from the store", done, total, "bytes")?;
            }
            if let Some(proof) = &copy.verification {
                proof.write(&partial.path)?;
            }
            self.get((&tree, &partial.path), &copy.id, &own(MANIFEST)?, manifest::LONGEST)?;
            // The manifest that was judged, not another one that stands there by now.
            match Manifest::read(&partial.path) {
                Ok(fetched) if fetched.hash == manifest.hash => {}
                _ => {
                    let problem = "it was replaced while the backup was fetched".into();
                    return Err(
                        BackupError::Damaged { id: copy.id.clone(), file: MANIFEST.into(), problem }.into()
                    );
                }
            }
            let path = partial.publish()?;
            let entry = Entry { id: copy.id.clone(), path, manifest: Ok(manifest.clone()) };
            Ok((entry, json!({"id": copy.id, "bytes": total})))
        })
    }

    /// An object of at most so many bytes, as a new file.
    fn get(&self, (tree, at): (&Tree, &Path), id: &str, name: &Relative, most: u64) -> Result<(), Error> {
        let path = at.join(name);
        let file = tree.create(name).map_err(|e| CoreError::file(&path, &e))?;
        Ok(self.bucket.get(&format!("{id}/{name}"), file, &path, most)?)
    }

    /// Removes a copy: in one moment it is none any more, then its objects go.
    pub(crate) fn remove(&self, id: &str) -> Result<(), Error> {
        self.bucket.delete(&[format!("{id}/{MANIFEST}")])?;
        let keys: Vec<String> = self.sizes(id)?.into_keys().map(|name| format!("{id}/{name}")).collect();
        Ok(self.bucket.delete(&keys)?)
    }
}

fn tree(directory: &Path) -> Result<Tree, Error> {
    Ok(Tree::open(directory).map_err(|e| CoreError::file(directory, &e))?)
}

/// A file of ours by its name.
fn own(name: &str) -> Result<Relative, Error> {
    let wrong = |problem| CoreError::File { path: name.into(), problem };
    Ok(Relative::parse(name).map_err(wrong)?)
}

/// Room for all that the manifest says, before a byte of it is fetched.
fn room(root: &Path, manifest: &Manifest) -> Result<(), Error> {
    let (free, needed) = (bytes::free(root)?, manifest.bytes());
    if free < needed {
        return Err(BackupError::NoSpace { directory: root.display().to_string(), free, needed }.into());
    }
    Ok(())
}
