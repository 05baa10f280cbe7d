//! Files that appear whole or not at all: temporary name, fsync, rename, fsync of the directory.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::Error;

/// The mode of our own files: they tell what runs here, and to whom.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIR: u32 = 0o700;

/// Writes a file of our own, readable by its owner alone.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    persist(path, content, |_| Ok(())).map_err(|e| Error::file(path, &e))
}

/// Adds a line to a file of our own, which is on the disk when this returns. Half a line, as a full disk or a power cut leaves it, is
/// ended first: what stood behind it would be lost with it.
pub fn append(path: &Path, line: &str) -> Result<(), Error> {
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().create(true).read(true).append(true).mode(PRIVATE_FILE).open(path)?;
        let begin = if ends_within_a_line(&file)? { "\n" } else { "" };
        file.write_all(format!("{begin}{line}\n").as_bytes())?;
        file.sync_data()
    };
    write().map_err(|e| Error::file(path, &e))
}

fn ends_within_a_line(file: &File) -> std::io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut end = [0];
    file.read_exact_at(&mut end, last)?;
    Ok(end != *b"\n")
}

/// Replaces the content of a user's file and keeps its mode, its owner and a symbolic link to it.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let keep = |file: &File| match fs::metadata(&target) {
        Ok(old) => {
            file.set_permissions(Permissions::from_mode(old.mode()))?;
            let new = file.metadata()?;
            if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
                return Ok(());
            }
            std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            file.set_permissions(Permissions::from_mode(0o644))
        }
        Err(e) => Err(e),
    };
    persist(&target, content, keep).map_err(|e| Error::file(path, &e))
}

fn persist(
    path: &Path,
    content: &[u8],
    prepare: impl Fn(&File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let directory = parent(path);
    let mut file = tempfile::Builder::new()
        .prefix(".tg-")
        .permissions(Permissions::from_mode(PRIVATE_FILE))
        .tempfile_in(&directory)?;
    file.write_all(content)?;
    prepare(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    File::open(&directory)?.sync_all()
}

/// Makes a directory of our own, and those above it.
pub fn make_dir(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(path).map_err(|e| Error::file(path, &e))
}

/// Makes what was written to a directory's table of names durable.
pub fn sync_dir(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|d| d.sync_all()).map_err(|e| Error::file(path, &e))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_the_link_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_line_behind_half_a_line_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        append(&path, "one").unwrap();
        fs::write(&path, "one\ntw").unwrap();
        append(&path, "three").unwrap();
        append(&path, "four").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntw\nthree\nfour\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub");
        fs::create_dir(&path).unwrap();
        assert!(write(&path, b"x").is_err(), "a directory is in the way");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
