//! What a backup says of itself, and whether that is still true.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::atomic_file;
use crate::backup::database::Database;
use crate::backup::depth::Depth;
use crate::backup::digest::{self, FileEntry};
use crate::backup::error::Error;
use crate::backup::facts::{self, Extension, Facts, LargeObjects, Sequence, Table};
use crate::backup::files;
use crate::backup::method::{Method, Physical};
use crate::backup::relative::Relative;
use crate::backup::tree::Tree;
use crate::backup::verification;

/// Written last: only it makes a directory a backup.
pub const MANIFEST: &str = "manifest.json";
/// The form of the manifest; moves only on a breaking change.
pub const VERSION: u8 = 2;
/// The longest that is read, bytes: a few hundred for each table and each file.
pub const LONGEST: u64 = 256 << 20;
/// The field that holds the hash of all others.
const SELF: &str = "self";

/// The image whose clients made the dump.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// `sha256:…` of its configuration.
    pub id: String,
    /// As the container was made from it.
    pub reference: String,
    /// `repository@sha256:…`, for a host that does not have it.
    pub digests: Vec<String>,
}

/// The record of a backup: what it is of, what was in it, its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its form.
    pub v: u8,
    /// Its name, which begins with the time.
    pub id: String,
    /// That made it.
    pub run: String,
    /// RFC 3339.
    pub created: String,
    /// Of the tool that made it.
    pub tool_version: String,
    /// The database's own properties.
    pub database: Database,
    /// Nothing where the clients were this host's.
    pub image: Option<Image>,
    /// How it was made.
    pub method: Method,
    /// Of a copy of a server's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical: Option<Physical>,
    /// `directory` or `tar`, as PostgreSQL's clients name it.
    pub format: String,
    /// As pg_dump's `--compress` takes it.
    pub compression: String,
    /// `pg_current_snapshot()` of the dump.
    pub snapshot: String,
    /// What this transaction and later ones wrote to the database is not in the backup.
    pub since_xid: u64,
    /// With their rows, where they were counted.
    pub tables: Vec<Table>,
    /// With their values.
    pub sequences: Vec<Sequence>,
    /// With their versions.
    pub extensions: Vec<Extension>,
    /// Together.
    pub large_objects: LargeObjects,
    /// Materialized views that are filled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<Table>,
    /// The server's roles: what owns and is granted.
    pub roles: Vec<String>,
    /// Workers of the dump.
    pub jobs: usize,
    /// Who can read the files, where they are encrypted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// All but this one.
    pub files: Vec<FileEntry>,
    /// How long it took, ms.
    pub duration_ms: u64,
    /// Its own hash.
    #[serde(skip)]
    pub hash: String,
}

impl Manifest {
    /// Rows in all tables, where they were counted.
    #[must_use]
    pub fn rows(&self) -> Option<i64> {
        facts::rows(&self.tables)
    }

    /// Whether it holds no table but those that extensions brought.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| table.extension)
    }

    /// What is to be found in a database restored from it.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            tables: self.tables.clone(),
            sequences: self.sequences.clone(),
            extensions: self.extensions.clone(),
            large_objects: self.large_objects.clone(),
            views: self.views.clone(),
        }
    }

    /// How much is known of each table.
    #[must_use]
    pub fn depth(&self) -> Depth {
        match self.tables.iter().find(|t| t.is_hashed()) {
            Some(_) => Depth::Full,
            _ if self.tables.iter().all(|t| t.rows.is_none()) => Depth::Off,
            _ => Depth::Count,
        }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Writes the manifest with a hash over its own content, and knows that hash from then on.
    pub fn write(&mut self, directory: &Path) -> Result<(), Error> {
        let (hash, text) = sealed(serde_json::to_value(&*self).unwrap_or_default());
        atomic_file::write(&directory.join(MANIFEST), text.as_bytes())?;
        self.hash = hash;
        Ok(())
    }

    /// Reads a manifest, or says why it can't be trusted.
    pub fn read(directory: &Path) -> Result<Self, String> {
        Self::parse(&text_in(directory, MANIFEST)?)
    }

    /// The same of its text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (document, hash) = unsealed(text)?;
        if document["v"] != VERSION {
            return Err(format!("form {} is not known to this version of tg", document["v"]));
        }
        let manifest: Manifest = serde_json::from_value(document).map_err(|e| e.to_string())?;
        manifest.plausible()?;
        Ok(Manifest { hash, ..manifest })
    }

    /// Each file is named once, is none of those that are about the backup, and all of them have a size.
    fn plausible(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        let mut bytes: u64 = 0;
        for file in &self.files {
            let name = file.path.as_str();
            if name == MANIFEST || name == verification::FILE || !seen.insert(name) {
                return Err(format!("it names {name} where that can't be, or twice"));
            }
            bytes = bytes.checked_add(file.bytes).ok_or("its files are larger than any disk")?;
        }
        Ok(())
    }

    /// A file that is not as it was written, and why.
    #[must_use]
    pub fn damage(&self, directory: &Path) -> Option<(String, String)> {
        let look = |file: &FileEntry| match file.damage(directory) {
            Some(problem) => Err((file.path.to_string(), problem)),
            None => Ok(()),
        };
        files::each(&self.files, &look).err()
    }
}

/// A small text in a backup's directory; links are not followed.
pub(crate) fn text_in(directory: &Path, name: &str) -> Result<String, String> {
    let read =
        || Tree::open(directory)?.text(&Relative::parse(name).map_err(std::io::Error::other)?, LONGEST);
    read().map_err(|e| e.to_string())
}

/// A document with its own hash in it: the hash, and the text.
#[must_use]
pub fn sealed(mut document: Value) -> (String, String) {
    let hash = hash_of(&document);
    if let Some(map) = document.as_object_mut() {
        map.insert(SELF.into(), Value::String(hash.clone()));
    }
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    (hash, format!("{text}\n"))
}

/// A document without its hash, and the hash, if they belong together.
pub fn unsealed(text: &str) -> Result<(Value, String), String> {
    let mut document: Value = serde_json::from_str(text).map_err(|e| format!("it is no JSON: {e}"))?;
    let written = document.as_object_mut().and_then(|map| map.shift_remove(SELF));
    let hash = hash_of(&document);
    if written.as_ref().and_then(Value::as_str) != Some(&hash) {
        return Err("it does not match its own hash".into());
    }
    Ok((document, hash))
}

/// SHA-256 of the document without its hash, as compact JSON in the order of its fields: what
/// `jq -cj 'del(.self)' manifest.json | sha256sum` prints.
fn hash_of(document: &Value) -> String {
    // Reading from memory can't fail.
    digest::of(&mut document.to_string().as_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::synthetic::synthetic;
    use std::fs;

    fn damaged(change: impl Fn(&Path)) -> Option<(String, String)> {
        let root = tempfile::tempdir().unwrap();
        let (_, directory) = synthetic(root.path());
        change(&directory);
        match Manifest::read(&directory) {
            Ok(manifest) => manifest.damage(&directory),
            Err(problem) => Some((MANIFEST.into(), problem)),
        }
    }

    #[test]
    fn an_untouched_backup_is_intact_and_reads_as_it_was_written() {
        let root = tempfile::tempdir().unwrap();
        let (written, directory) = synthetic(root.path());
        assert_eq!(Manifest::read(&directory).unwrap(), written);
        assert_eq!(written.damage(&directory), None);
    }

    #[test]
    fn every_kind_of_damage_is_found_and_the_file_is_named() {
        let data = |d: &Path, name: &str| d.join("data").join(name);
        let flip = |d: &Path| fs::write(data(d, "1.dat.zst"), "one rOw\n").unwrap();
        assert_eq!(damaged(flip).unwrap(), ("data/1.dat.zst".into(), "its content has changed".into()));
        let cut = |d: &Path| fs::write(data(d, "1.dat.zst"), "").unwrap();
        assert_eq!(damaged(cut).unwrap(), ("data/1.dat.zst".into(), "it has 0 bytes instead of 8".into()));
        let delete = |d: &Path| fs::remove_file(data(d, "2.dat.zst")).unwrap();
        assert_eq!(damaged(delete).unwrap(), ("data/2.dat.zst".into(), "it is missing".into()));
        let swap = |d: &Path| {
            fs::rename(data(d, "1.dat.zst"), data(d, "x")).unwrap();
            fs::rename(data(d, "2.dat.zst"), data(d, "1.dat.zst")).unwrap();
            fs::rename(data(d, "x"), data(d, "2.dat.zst")).unwrap();
        };
        // Files are looked at side by side: either of the two may be the first.
        assert!(["data/1.dat.zst", "data/2.dat.zst"].contains(&damaged(swap).unwrap().0.as_str()));
    }

    #[test]
    fn an_edited_manifest_is_not_believed() {
        for (old, new) in [
            ("\"rows\": 2", "\"rows\": 1"),
            ("\"run\": \"r\"", "\"run\": \"r\",\n  \"more\": 1"),
            ("7:7:", "8:8:"),
            ("\"self\"", "\"selff\""),
        ] {
            let edit = |d: &Path| {
                let text = fs::read_to_string(d.join(MANIFEST)).unwrap();
                assert!(text.contains(old), "{old}");
                fs::write(d.join(MANIFEST), text.replace(old, new)).unwrap();
            };
            assert_eq!(damaged(edit).unwrap(), (MANIFEST.into(), "it does not match its own hash".into()));
        }
        let cut = |d: &Path| fs::write(d.join(MANIFEST), "{\"v\":1").unwrap();
        assert!(damaged(cut).unwrap().1.starts_with("it is no JSON"));
    }

    /// A manifest with another list of files, sealed by its author: its hash is right.
    fn forged(files: &[(&str, u64)]) -> Result<Manifest, String> {
        let root = tempfile::tempdir().unwrap();
        let (manifest, _) = synthetic(root.path());
        let mut document = serde_json::to_value(manifest).unwrap();
        let entry =
            |(path, bytes): &(&str, u64)| serde_json::json!({"path": path, "bytes": bytes, "sha256": ""});
        document["files"] = files.iter().map(entry).collect();
        Manifest::parse(&sealed(document).1)
    }

    #[test]
    fn a_manifest_whose_paths_lead_out_of_its_directory_is_not_believed() {
        assert!(forged(&[("data/toc.dat", 1)]).is_ok());
        for wrong in ["../../etc/cron.d/x.age", "/etc/cron.d/x.age", "data/../../x", ".", "data//x", ""] {
            let problem = forged(&[("data/toc.dat", 1), (wrong, 1)]).unwrap_err();
            assert!(problem.contains("is not a plain path"), "{wrong}: {problem}");
        }
    }

    #[test]
    fn a_manifest_that_counts_what_can_not_be_is_not_believed() {
        for wrong in [
            &[("a", u64::MAX), ("b", 1)][..],
            &[("a", 1), ("a", 1)],
            &[(MANIFEST, 1)],
            &[(verification::FILE, 1)],
        ] {
            assert!(forged(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nothing_behind_a_link_is_part_of_a_backup() {
        let outside = tempfile::tempdir().unwrap();
        let moved = |d: &Path| {
            fs::rename(d.join("data"), outside.path().join("data")).unwrap();
            std::os::unix::fs::symlink(outside.path().join("data"), d.join("data")).unwrap();
        };
        let (file, problem) = damaged(moved).unwrap();
        assert!(file.starts_with("data/") && problem.contains("link"), "{file}: {problem}");
        let manifest = |d: &Path| {
            fs::rename(d.join(MANIFEST), outside.path().join("m")).unwrap();
            std::os::unix::fs::symlink(outside.path().join("m"), d.join(MANIFEST)).unwrap();
        };
        assert!(damaged(manifest).unwrap().1.contains("link"));
    }

    #[test]
    fn tables_that_extensions_brought_are_nobody_s_data() {
        let root = tempfile::tempdir().unwrap();
        let (mut manifest, directory) = synthetic(root.path());
        assert!(!manifest.is_empty());
        manifest.tables[0].extension = true;
        manifest.write(&directory).unwrap();
        assert!(Manifest::read(&directory).unwrap().is_empty());
        manifest.tables.clear();
        assert!(manifest.is_empty());
    }
}
