//! Hashes of files, read once and in pieces.

use std::cmp::Reverse;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::backup::files;
use crate::backup::relative::Relative;
use crate::backup::tree::Tree;

/// Bytes read at a time: memory does not grow with the backup.
const PIECE: usize = 256 * 1024;
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// A file as the manifest knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Below the backup's directory.
    pub path: Relative,
    /// Its length.
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

impl FileEntry {
    /// What is wrong with the file, if anything: the cheap questions first.
    #[must_use]
    pub fn damage(&self, root: &Path) -> Option<String> {
        let looked = || -> io::Result<Option<String>> {
            let mut file = Tree::open(root)?.file(&self.path)?;
            let bytes = file.metadata()?.len();
            if bytes != self.bytes {
                return Ok(Some(format!("it has {bytes} bytes instead of {}", self.bytes)));
            }
            Ok((of(&mut file)? != self.sha256).then(|| "its content has changed".into()))
        };
        looked().unwrap_or_else(|e| match e.kind() {
            io::ErrorKind::NotFound => Some("it is missing".into()),
            _ => Some(e.to_string()),
        })
    }
}

/// SHA-256 of what is left to read, in hexadecimal.
pub fn of(reader: &mut impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece)? {
            0 => return Ok(crate::hex(&hash.finalize())),
            n => hash.update(&piece[..n]),
        }
    }
}

/// Hashes every file below a directory, makes it private and durable; sorted by path. The largest
/// come first, so that none is left alone at the end.
pub fn seal(root: &Path) -> Result<Vec<FileEntry>, crate::Error> {
    let (mut paths, directories) = files::below(root)?;
    paths.sort_by_key(|path| Reverse(path.metadata().map_or(0, |m| m.len())));
    let seal = |path: &PathBuf| seal_file(root, path).map_err(|e| crate::Error::file(path, &e));
    let mut entries = files::each(&paths, &seal)?;
    for directory in directories {
        let private = || {
            fs::set_permissions(&directory, Permissions::from_mode(DIR_MODE))?;
            File::open(&directory)?.sync_all()
        };
        private().map_err(|e| crate::Error::file(&directory, &e))?;
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn seal_file(root: &Path, path: &Path) -> io::Result<FileEntry> {
    let mut file = File::open(path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    let sha256 = of(&mut file)?;
    file.sync_all()?;
    let relative = path.strip_prefix(root).unwrap_or(path);
    let path = Relative::parse(&relative.to_string_lossy()).map_err(io::Error::other)?;
    Ok(FileEntry { path, bytes: file.metadata()?.len(), sha256 })
}
