//! The directory of backups. Only a directory with a manifest is a backup.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::backup::error::Error;
use crate::backup::manifest::{MANIFEST, Manifest};
use crate::backup::order::{self, Stamp};
use crate::backup::relative::is_name;
use crate::backup::tree::{Tree, is_link};
use crate::backup::verification::Verification;
use crate::project::Project;
use crate::{Error as CoreError, atomic_file};

/// Beside the compose file.
const DEFAULT_DIRECTORY: &str = "backups";
const PARTIAL_PREFIX: &str = ".partial-";
/// What is being removed is no backup any more.
const REMOVED_PREFIX: &str = ".removed-";

/// A directory of backups.
pub struct Store {
    root: PathBuf,
}

/// A backup on disk.
pub struct Entry {
    /// Its name.
    pub id: String,
    /// Its directory.
    pub path: PathBuf,
    /// What is wrong with the manifest, where it can't be trusted.
    pub manifest: Result<Box<Manifest>, String>,
}

/// A backup in the making. It goes away unless it is published.
pub struct Partial {
    /// Where it is made.
    pub path: PathBuf,
    published: PathBuf,
    done: bool,
    /// Held as long as its maker lives, so that nobody else sweeps it.
    _lock: File,
}

/// Whether a backup could be removed.
#[derive(Debug, PartialEq, Eq)]
pub enum Removal {
    /// Gone.
    Done,
    /// Somebody reads it.
    InUse,
}

impl Entry {
    /// Bytes of all its files, by its manifest.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |m| m.bytes())
    }

    /// What is known of the moment in which it was made.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp::of(&self.id, self.manifest.as_ref().ok().map(|m| &**m))
    }

    /// Its newest proof, where there is one.
    #[must_use]
    pub fn verification(&self) -> Option<Verification> {
        Verification::read(&self.path, self.manifest.as_ref().ok()?)
    }

    /// Keeps it from being removed as long as the value lives.
    pub fn hold(&self) -> Result<File, Error> {
        let failed = |e: std::io::Error| Error::Core(CoreError::file(&self.path, &e));
        let directory = File::from(Tree::open(&self.path).map_err(failed)?);
        directory.lock_shared().map_err(failed)?;
        Ok(directory)
    }
}

impl Store {
    /// The store in a directory, which need not be there yet.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Store { root }
    }

    /// The project's: flag, environment, compose file, default.
    pub fn of(project: &Project, flag: Option<&Path>) -> Result<Self, CoreError> {
        let here = std::env::current_dir().unwrap_or_default();
        let flag = flag.map(|directory| here.join(directory));
        let root = project.settings().get(flag, "backup_dir", |text| Ok(project.path(text)))?;
        let root = root.unwrap_or_else(|| project.path(DEFAULT_DIRECTORY));
        // A bind mount is written host:container, so a colon can't be part of it.
        if root.to_string_lossy().contains(':') {
            return Err(CoreError::Setting {
                key: "backup_dir".into(),
                origin: root.display().to_string(),
                problem: "its path has a colon, which docker can't mount".into(),
            });
        }
        Ok(Store { root })
    }

    /// Its directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every backup, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Entry> {
        let directories = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut entries: Vec<Entry> =
            directories.filter_map(|entry| self.entry(entry.file_name().to_str()?)).collect();
        let stamps: Vec<Stamp> = entries.iter().map(Entry::stamp).collect();
        let mut places: Vec<Option<Entry>> = entries.drain(..).map(Some).collect();
        order::newest_first(&stamps).into_iter().filter_map(|i| places[i].take()).collect()
    }

    /// One backup by its name, which must not lead out of the directory.
    #[must_use]
    pub fn entry(&self, id: &str) -> Option<Entry> {
        let path = self.root.join(id);
        if !is_name(id) || !path.join(MANIFEST).is_file() {
            return None;
        }
        // What lies elsewhere is not ours to read, and least of all to remove.
        let manifest = if is_link(&path) {
            Err("its directory is a symbolic link, which is not followed".into())
        } else {
            Manifest::read(&path).map(Box::new)
        };
        Some(Entry { id: id.to_owned(), manifest, path })
    }

    /// The newest backup of a database that a run made.
    #[must_use]
    pub fn of_run(&self, run: &str, database: &str) -> Option<Entry> {
        let made_it = |m: &Manifest| m.run == run && m.database.name == database;
        self.list().into_iter().find(|entry| entry.manifest.as_ref().is_ok_and(|m| made_it(m)))
    }

    /// Starts a backup.
    pub fn partial(&self, id: &str) -> Result<Partial, Error> {
        let path = self.root.join(format!("{PARTIAL_PREFIX}{id}"));
        let failed = |e: std::io::Error| Error::Core(CoreError::file(&path, &e));
        if !is_name(id) {
            return Err(failed(std::io::Error::other("a backup can't have this name")));
        }
        // What a killed run left half-made under this name is no beginning.
        if let Ok(left) = Tree::open(&path)
            && File::from(left).try_lock().is_ok()
        {
            fs::remove_dir_all(&path).map_err(failed)?;
        }
        atomic_file::make_dir(&path)?;
        let lock = File::from(Tree::open(&path).map_err(failed)?);
        lock.try_lock().map_err(|e| CoreError::file(&path, &e.into()))?;
        Ok(Partial { path, published: self.root.join(id), done: false, _lock: lock })
    }

    /// Removes a backup: in one moment it is none any more, then its files go.
    pub fn remove(&self, entry: &Entry) -> Result<Removal, Error> {
        let failed = |e: std::io::Error| Error::Core(CoreError::file(&entry.path, &e));
        let directory = File::from(Tree::open(&entry.path).map_err(failed)?);
        if directory.try_lock().is_err() {
            return Ok(Removal::InUse);
        }
        let removed = self.root.join(format!("{REMOVED_PREFIX}{}", entry.id));
        fs::rename(&entry.path, &removed).map_err(failed)?;
        atomic_file::sync_dir(&self.root)?;
        fs::remove_dir_all(&removed).map_err(failed)?;
        Ok(Removal::Done)
    }

    /// Removes what killed runs left half-made or half-removed; a partial whose maker lives is locked and stays.
    pub fn sweep(&self) -> Result<Vec<String>, Error> {
        let mut swept = Vec::new();
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            let ours = name.starts_with(PARTIAL_PREFIX) || name.starts_with(REMOVED_PREFIX);
            if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let directory = File::from(Tree::open(&path).map_err(|e| CoreError::file(&path, &e))?);
            if directory.try_lock().is_ok() {
                fs::remove_dir_all(&path).map_err(|e| CoreError::file(&path, &e))?;
                swept.push(name);
            }
        }
        Ok(swept)
    }
}

impl Partial {
    /// Makes the backup visible, whole, and durable in its directory's table of names.
    pub fn publish(mut self) -> Result<PathBuf, Error> {
        fs::rename(&self.path, &self.published).map_err(|e| CoreError::file(&self.published, &e))?;
        self.done = true;
        if let Some(parent) = self.published.parent() {
            atomic_file::sync_dir(parent)?;
        }
        Ok(self.published.clone())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.done {
            // What can't be removed now is swept by the next run.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unpublished_backup_leaves_nothing_and_one_in_the_making_is_not_swept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().to_owned());
        let partial = store.partial("x").unwrap();
        assert!(store.sweep().unwrap().is_empty(), "its maker lives");
        assert!(store.list().is_empty());
        drop(partial);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::create_dir(dir.path().join(".partial-y")).unwrap();
        fs::create_dir(dir.path().join("other")).unwrap();
        assert_eq!(store.sweep().unwrap(), [".partial-y"]);
        assert!(dir.path().join("other").exists());
    }

    #[test]
    fn a_backup_that_is_being_read_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let _ = crate::backup::synthetic::synthetic(dir.path());
        let store = Store::at(dir.path().to_owned());
        let entry = store.list().remove(0);
        let reader = entry.hold().unwrap();
        assert_eq!(store.remove(&entry).unwrap(), Removal::InUse);
        drop(reader);
        assert_eq!(store.remove(&entry).unwrap(), Removal::Done);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_name_can_not_lead_out_of_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MANIFEST), "{}").unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        let store = Store::at(dir.path().join("sub"));
        assert!(store.entry("..").is_none() && store.entry("../").is_none());
    }

    #[test]
    fn a_backup_that_lies_behind_a_link_is_shown_as_such_and_its_files_stay() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (_, directory) = crate::backup::synthetic::synthetic(elsewhere.path());
        let link = dir.path().join("20261123T074500Z-x-abcdef");
        std::os::unix::fs::symlink(&directory, &link).unwrap();
        let store = Store::at(dir.path().to_owned());
        let entry = store.list().remove(0);
        assert!(entry.manifest.as_ref().unwrap_err().contains("symbolic link"));
        assert!(entry.hold().is_err() && store.remove(&entry).is_err());
        // Not even where the directory became a link after it had been listed.
        let entry = Entry { manifest: Manifest::read(&directory).map(Box::new), ..entry };
        assert!(store.remove(&entry).is_err());
        assert!(directory.join("data/toc.dat").is_file());
    }

    #[test]
    fn what_is_removed_takes_nothing_with_it_that_a_link_in_it_leads_to() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("kept"), "kept").unwrap();
        let (_, directory) = crate::backup::synthetic::synthetic(dir.path());
        std::os::unix::fs::symlink(elsewhere.path(), directory.join("data/link")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(".removed-x")).unwrap();
        let store = Store::at(dir.path().to_owned());
        assert_eq!(store.remove(&store.list()[0]).unwrap(), Removal::Done);
        assert!(store.sweep().unwrap().is_empty());
        assert!(elsewhere.path().join("kept").is_file() && !directory.exists());
    }

    #[test]
    fn what_a_killed_run_left_of_a_name_is_no_beginning_for_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().to_owned());
        let left = dir.path().join(".partial-x");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("half"), "half").unwrap();
        let partial = store.partial("x").unwrap();
        assert_eq!(fs::read_dir(&partial.path).unwrap().count(), 0);
        assert!(store.partial("x").is_err(), "its maker lives");
        assert!(store.partial("../x").is_err());
    }

    #[test]
    fn the_newest_backup_is_that_of_the_latest_transaction_though_its_clock_was_set_back() {
        let dir = tempfile::tempdir().unwrap();
        for (id, created, next) in [("a", "2026-11-23T10:00:00Z", 7), ("b", "2026-11-23T08:00:00Z", 9)] {
            let (mut manifest, made) = crate::backup::synthetic::synthetic(dir.path());
            let path = dir.path().join(id);
            fs::rename(made, &path).unwrap();
            (manifest.id, manifest.created) = (id.into(), created.into());
            manifest.snapshot = format!("{next}:{next}:");
            manifest.database.timeline = Some(1);
            manifest.write(&path).unwrap();
        }
        let store = Store::at(dir.path().to_owned());
        let ids: Vec<_> = store.list().into_iter().map(|entry| entry.id).collect();
        assert_eq!(ids, ["b", "a"]);
        assert_eq!(store.of_run("r", "x").unwrap().id, "b");
    }
}
