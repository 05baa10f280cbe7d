//! The files of a backup in the making. Where there are recipients, each is encrypted before it reaches the backup's disk:
//! its plaintext may lie where it goes with the process, and what the tool reads of it is kept in memory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::Error as CoreError;
use crate::backup::crypt::{Recipients, SUFFIX};
use crate::backup::error::Error;
use crate::backup::files;
use crate::backup::relative::Relative;
use crate::backup::tree::Tree;

/// Of a tar archive, bytes.
const BLOCK: u64 = 512;
/// A tar archive ends with two blocks of zeros; one that was cut does not.
const END: u64 = 2 * BLOCK;
/// How much of one text is kept in memory, bytes: a table of contents has about 100 for each object.
const LONGEST_TEXT: u64 = 256 << 20;

/// The directory of a backup in the making.
pub struct Output<'a> {
    path: PathBuf,
    tree: Tree,
    recipients: Option<&'a Recipients>,
}

/// The files that a client wrote, under the names that it gave them.
pub struct Written {
    directory: PathBuf,
    /// What is known of files that can't be read any more.
    sealed: Option<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: BTreeMap<String, u64>,
    texts: BTreeMap<String, Vec<u8>>,
}

impl<'a> Output<'a> {
    /// Into a directory that is there; encrypted for these recipients.
    pub fn open(path: &Path, recipients: Option<&'a Recipients>) -> Result<Self, Error> {
        let tree = Tree::open(path).map_err(|e| CoreError::file(path, &e))?;
        Ok(Output { path: path.to_owned(), tree, recipients })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its files are encrypted.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.recipients.is_some()
    }

    /// Writes one file, readable by its owner alone; how many bytes its content has.
    pub fn write(&self, name: &Relative, content: &mut dyn Read) -> Result<u64, Error> {
        let mut work = || -> io::Result<u64> {
            let Some(recipients) = self.recipients else {
                return io::copy(content, &mut self.tree.create(name)?);
            };
            let sealed = Relative::parse(&format!("{name}{SUFFIX}")).map_err(io::Error::other)?;
            recipients.seal(content, self.tree.create(&sealed)?)
        };
        work().map_err(|e| CoreError::file(self.path.join(name), &e).into())
    }

    /// What a client has written into the directory itself.
    #[must_use]
    pub fn plain(&self) -> Written {
        Written { directory: self.path.clone(), sealed: None }
    }

    /// Writes every file of another directory, and keeps the texts of these names; fails as soon as it is `given_up`.
    pub fn take(
        &self,
        directory: &Path,
        texts: &[&str],
        given_up: &dyn Fn() -> bool,
    ) -> Result<Written, Error> {
        let mut kept = Kept::default();
        for path in files::below(directory)?.0 {
            let wrong = |problem: String| CoreError::File { path: path.clone(), problem };
            let name = path.strip_prefix(directory).ok().and_then(Path::to_str).unwrap_or_default();
            let name = Relative::parse(name).map_err(wrong)?;
            let file = File::open(&path).map_err(|e| CoreError::file(&path, &e))?;
            self.add(&mut kept, &name, &mut Patient { file, given_up }, texts)?;
        }
        Ok(Written { directory: self.path.clone(), sealed: Some(kept) })
    }

    /// Writes every file of a tar archive, in which they are below a directory of this name, and keeps some texts. An
    /// archive that was cut, or has not exactly so many files, is an error.
    pub fn unpack(
        &self,
        archive: impl Read,
        (below, files): (&str, usize),
        texts: &[&str],
    ) -> Result<Written, Error> {
        let wrong = |problem: &dyn std::fmt::Display| {
            CoreError::Engine(format!("the archive of what the client wrote can't be read: {problem}"))
        };
        let mut counted = Counted { inner: archive, bytes: 0 };
        let (mut kept, mut end) = (Kept::default(), 0);
        for entry in tar::Archive::new(&mut counted).entries().map_err(|e| wrong(&e))? {
            let mut entry = entry.map_err(|e| wrong(&e))?;
            let size = entry.size();
            end = entry.raw_file_position().saturating_add(size.next_multiple_of(BLOCK));
            let path = entry.path_bytes().into_owned();
            let path = String::from_utf8(path).map_err(|e| wrong(&e))?;
            match entry.header().entry_type() {
                kind if kind.is_dir() => continue,
                kind if kind.is_file() => {}
                kind => return Err(wrong(&format!("{path:?} is of kind {kind:?}")).into()),
            }
            let name = path.strip_prefix(below).and_then(|name| name.strip_prefix('/'));
            let name =
                Relative::parse(name.unwrap_or_default()).map_err(|e| wrong(&format!("{path:?}: {e}")))?;
            let bytes = self.add(&mut kept, &name, &mut entry, texts)?;
            if bytes != size {
                return Err(wrong(&format!("{path:?} has {bytes} of {size} bytes")).into());
            }
        }
        io::copy(&mut counted, &mut io::sink()).map_err(|e| wrong(&e))?;
        if counted.bytes < end.saturating_add(END) {
            return Err(wrong(&"it has no end").into());
        }
        if kept.bytes.len() != files {
            return Err(wrong(&format!("it has {} of {files} files", kept.bytes.len())).into());
        }
        Ok(Written { directory: self.path.clone(), sealed: Some(kept) })
    }

    fn add(
        &self,
        kept: &mut Kept,
        name: &Relative,
        content: &mut dyn Read,
        texts: &[&str],
    ) -> Result<u64, Error> {
        let bytes = if texts.contains(&name.as_str()) {
            let mut text = Vec::new();
            let read = content.take(LONGEST_TEXT + 1).read_to_end(&mut text);
            let read = read.and_then(|read| match read as u64 {
                0..=LONGEST_TEXT => Ok(()),
                _ => Err(io::Error::other(format!("it has more than {LONGEST_TEXT} bytes"))),
            });
            read.map_err(|e| CoreError::file(self.path.join(name), &e))?;
            let bytes = self.write(name, &mut text.as_slice())?;
            kept.texts.insert(name.to_string(), text);
            bytes
        } else {
            self.write(name, content)?
        };
        kept.bytes.insert(name.to_string(), bytes);
        Ok(bytes)
    }
}

impl Written {
    /// The text of a file, which must be one of those that were to be kept.
    pub fn text(&self, name: &str) -> Result<String, CoreError> {
        let path = self.directory.join(name);
        let read = || match &self.sealed {
            None => fs::read_to_string(&path),
            Some(kept) => {
                let text = kept.texts.get(name).ok_or(io::ErrorKind::NotFound)?;
                String::from_utf8(text.clone()).map_err(io::Error::other)
            }
        };
        read().map_err(|e| CoreError::file(&path, &e))
    }

    /// Bytes of a file's content; nothing where there is no such file.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<u64> {
        match &self.sealed {
            None => self.directory.join(name).metadata().ok().map(|file| file.len()),
            Some(kept) => kept.bytes.get(name).copied(),
        }
    }

    /// Removes a file from the backup.
    pub fn remove(&self, name: &str) -> Result<(), CoreError> {
        let suffix = if self.sealed.is_some() { SUFFIX } else { "" };
        let path = self.directory.join(format!("{name}{suffix}"));
        fs::remove_file(&path).map_err(|e| CoreError::file(&path, &e))
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// A file that is read as long as somebody waits for it.
struct Patient<'a> {
    file: File,
    given_up: &'a dyn Fn() -> bool,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.given_up)() { Err(io::Error::other("it was given up")) } else { self.file.read(buffer) }
    }
}

#[cfg(test)]
mod tests;
