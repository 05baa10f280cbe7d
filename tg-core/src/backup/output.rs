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
mod tests {
    use super::*;
    use crate::backup::crypt::Identities;
    use std::os::unix::fs::PermissionsExt;

    /// An archive as an engine makes it.
    fn archive(files: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, content) in files {
            let mut header = tar::Header::new_gnu();
            // A path that leads elsewhere is refused by the builder, not by an archive.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    const DIRECTORY: tar::EntryType = tar::EntryType::Directory;
    const FILE: tar::EntryType = tar::EntryType::Regular;

    fn read(identities: &Identities, root: &Path, name: &str) -> Vec<u8> {
        let (tree, path) = (Tree::open(root).unwrap(), Relative::parse(name).unwrap());
        let mut content = Vec::new();
        identities.reader(&tree, &path).unwrap().read_to_end(&mut content).unwrap();
        content
    }

    fn names(root: &Path) -> Vec<PathBuf> {
        let mut all = files::below(root).unwrap().0;
        all.sort();
        all.into_iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
    }

    fn recipients() -> (Recipients, Identities) {
        let mut recipients = Recipients::none();
        let identities = recipients.with_ephemeral();
        (recipients, identities)
    }

    #[test]
    fn every_file_of_an_archive_is_written_encrypted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (recipients, identities) = recipients();
        let content: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        let bytes = archive(&[
            ("backup/", DIRECTORY, b""),
            ("backup/contents.txt", FILE, b"1; 0 0 TABLE"),
            ("backup/data/", DIRECTORY, b""),
            ("backup/data/1.dat", FILE, &content),
            ("backup/data/2.dat", FILE, b""),
        ]);
        let output = Output::open(dir.path(), Some(&recipients)).unwrap();
        let written = output.unpack(bytes.as_slice(), ("backup", 3), &["contents.txt"]).unwrap();
        let there = ["contents.txt.age", "data/1.dat.age", "data/2.dat.age"];
        assert_eq!(names(dir.path()), there.map(PathBuf::from));
        assert_eq!(read(&identities, dir.path(), there[1]), content);
        assert_eq!(read(&identities, dir.path(), there[0]), b"1; 0 0 TABLE");
        assert!(
            there.iter().all(|name| {
                dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777 == 0o600
            })
        );
        assert_eq!(written.text("contents.txt").unwrap(), "1; 0 0 TABLE");
        assert!(written.text("data/1.dat").is_err(), "it was not to be kept");
        let bytes = ["data/1.dat", "data/2.dat", "data/3.dat"].map(|name| written.bytes(name));
        assert_eq!(bytes, [Some(300_000), Some(0), None]);
        written.remove("contents.txt").unwrap();
        assert_eq!(names(dir.path()), [there[1], there[2]].map(PathBuf::from));
    }

    #[test]
    fn an_archive_that_was_cut_anywhere_is_an_error() {
        let (recipients, _) = recipients();
        // Its content looks like an archive's end.
        let bytes = archive(&[("backup/1.dat", FILE, b"row"), ("backup/2.dat", FILE, &[0; 2048])]);
        let unpacked = |length: usize| {
            let dir = tempfile::tempdir().unwrap();
            let output = Output::open(dir.path(), Some(&recipients)).unwrap();
            output.unpack(&bytes[..length], ("backup", 2), &[]).map(drop)
        };
        unpacked(bytes.len()).unwrap();
        for length in (0..bytes.len()).step_by(256).chain([1, 513, bytes.len() - 1]) {
            assert!(unpacked(length).is_err(), "{length} of {}", bytes.len());
        }
    }

    #[test]
    fn an_archive_with_fewer_files_than_there_are_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let (recipients, _) = recipients();
        let output = Output::open(dir.path(), Some(&recipients)).unwrap();
        let bytes = archive(&[("backup/1.dat", FILE, b"row")]);
        let error = output.unpack(bytes.as_slice(), ("backup", 2), &[]).err().unwrap();
        assert!(error.to_string().ends_with("it has 1 of 2 files"), "{error}");
    }

    #[test]
    fn a_path_that_leads_elsewhere_and_a_link_are_refused() {
        let (recipients, _) = recipients();
        for (path, kind) in [
            ("backup/../x", FILE),
            ("backup", FILE),
            ("backup//x", FILE),
            ("backupx", FILE),
            ("/backup/x", FILE),
            ("other/x", FILE),
            ("backup/x", tar::EntryType::Symlink),
            ("backup/x", tar::EntryType::Link),
            ("backup/x", tar::EntryType::Fifo),
        ] {
            let root = tempfile::tempdir().unwrap();
            let directory = root.path().join("partial");
            fs::create_dir(&directory).unwrap();
            let output = Output::open(&directory, Some(&recipients)).unwrap();
            let refused = output.unpack(archive(&[(path, kind, b"")]).as_slice(), ("backup", 1), &[]);
            assert!(refused.is_err(), "{path} {kind:?}");
            assert!(names(root.path()).is_empty(), "{path} {kind:?}");
        }
    }

    #[test]
    fn what_lies_in_a_directory_is_taken_encrypted_as_long_as_somebody_waits() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (recipients, identities) = recipients();
        fs::create_dir(from.path().join("data")).unwrap();
        fs::write(from.path().join("data/1.dat"), "a row").unwrap();
        let output = Output::open(to.path(), Some(&recipients)).unwrap();
        assert!(output.take(from.path(), &[], &|| true).is_err());
        fs::remove_dir_all(to.path().join("data")).unwrap();
        let written = output.take(from.path(), &["data/1.dat"], &|| false).unwrap();
        assert_eq!(
            (written.bytes("data/1.dat"), written.text("data/1.dat").unwrap()),
            (Some(5), "a row".into())
        );
        assert_eq!(names(to.path()), [PathBuf::from("data/1.dat.age")]);
        assert_eq!(read(&identities, to.path(), "data/1.dat.age"), b"a row");
    }

    #[test]
    fn what_is_not_encrypted_lies_there_under_its_own_name() {
        let dir = tempfile::tempdir().unwrap();
        let output = Output::open(dir.path(), None).unwrap();
        output.write(&Relative::parse("data/info.json").unwrap(), &mut b"{}".as_slice()).unwrap();
        let written = output.plain();
        assert_eq!(
            (written.bytes("data/info.json"), written.text("data/info.json").unwrap()),
            (Some(2), "{}".into())
        );
        written.remove("data/info.json").unwrap();
        assert_eq!(written.bytes("data/info.json"), None);
    }
}
