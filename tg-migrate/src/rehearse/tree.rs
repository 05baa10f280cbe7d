//! A private copy of a directory of the host: plain files, directories and links, and nothing that leads elsewhere.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use tg_core::Error as CoreError;

/// What a copy may hold: an application's settings, not its data.
const MOST_BYTES: u64 = 512 << 20;
const MOST_ENTRIES: u64 = 100_000;

/// What can't be copied, because it is a door and no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Door {
    pub path: PathBuf,
    pub kind: &'static str,
}

impl std::fmt::Display for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.path.display())
    }
}

/// What became of a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// All of it, but for the doors in it.
    Whole(Vec<Door>),
    /// It is too large.
    TooLarge,
}

/// A copy at work.
struct Copier<'a> {
    skip: &'a [PathBuf],
    bytes: u64,
    entries: u64,
    doors: Vec<Door>,
}

/// What kind of door something is, if it is one.
pub(super) fn door(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_socket() => Some("socket"),
        () if kind.is_fifo() => Some("FIFO"),
        () if kind.is_block_device() || kind.is_char_device() => Some("device"),
        () => None,
    }
}

/// Copies a directory to a place that does not exist yet, without what is in `skip`.
pub(super) fn copy(from: &Path, to: &Path, skip: &[PathBuf]) -> Result<Copied, CoreError> {
    let mut copier = Copier { skip, bytes: 0, entries: 0, doors: Vec::new() };
    if copier.directory(from, to)? {
        return Ok(Copied::Whole(copier.doors));
    }
    fs::remove_dir_all(to).map_err(|e| CoreError::file(to, &e))?;
    Ok(Copied::TooLarge)
}

impl Copier<'_> {
    /// Whether there was room for it.
    fn directory(&mut self, from: &Path, to: &Path) -> Result<bool, CoreError> {
        let wrong = |e: std::io::Error| CoreError::file(from, &e);
        fs::create_dir(to).map_err(|e| CoreError::file(to, &e))?;
        for entry in fs::read_dir(from).map_err(wrong)? {
            let from = entry.map_err(wrong)?.path();
            if self.skip.contains(&from) {
                continue;
            }
            let metadata = match fs::symlink_metadata(&from) {
                // It went away meanwhile.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                other => other.map_err(|e| CoreError::file(&from, &e))?,
            };
            self.entries += 1;
            self.bytes = self.bytes.saturating_add(if metadata.is_file() { metadata.len() } else { 0 });
            if self.entries > MOST_ENTRIES || self.bytes > MOST_BYTES {
                return Ok(false);
            }
            let to = to.join(from.file_name().unwrap_or_default());
            if metadata.is_dir() {
                if !self.directory(&from, &to)? {
                    return Ok(false);
                }
            } else if let Some(kind) = door(&metadata) {
                self.doors.push(Door { path: from, kind });
            } else {
                leaf(&from, &to, &metadata)?;
            }
        }
        let metadata = fs::metadata(from).map_err(wrong)?;
        // We have to be able to remove it.
        let mode = metadata.mode() & 0o7777 | 0o700;
        fs::set_permissions(to, fs::Permissions::from_mode(mode)).map_err(|e| CoreError::file(to, &e))?;
        // Only root can give files away; for others they are theirs already.
        let _ = chown(to, Some(metadata.uid()), Some(metadata.gid()));
        Ok(true)
    }
}

fn leaf(from: &Path, to: &Path, metadata: &Metadata) -> Result<(), CoreError> {
    let copied = if metadata.is_symlink() {
        fs::read_link(from).and_then(|target| symlink(target, to))
    } else {
        fs::copy(from, to).map(drop)
    };
    match copied {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|e| CoreError::file(from, &e))?,
    }
    let _ = lchown(to, Some(metadata.uid()), Some(metadata.gid()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_copy_has_the_files_and_links_and_none_of_the_sockets() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::create_dir_all(from.join("own/deep")).unwrap();
        fs::write(from.join("sub/a"), "text").unwrap();
        fs::set_permissions(from.join("sub/a"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a", from.join("sub/link")).unwrap();
        let socket = from.join("sub/.s.PGSQL.5432");
        let _listener = UnixListener::bind(&socket).unwrap();
        let copied = copy(&from, &to, &[from.join("own")]).unwrap();
        assert_eq!(copied, Copied::Whole(vec![Door { path: socket, kind: "socket" }]));
        assert_eq!(fs::read_to_string(to.join("sub/link")).unwrap(), "text");
        assert_eq!(fs::metadata(to.join("sub/a")).unwrap().mode() & 0o777, 0o640);
        assert!(!to.join("sub/.s.PGSQL.5432").exists());
        assert!(!to.join("own").exists());
    }

    #[test]
    fn what_is_too_large_is_not_copied_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::File::create(from.join("sub/sparse")).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert_eq!(copy(&from, &to, &[]).unwrap(), Copied::TooLarge);
        assert!(!to.exists());
    }
}
