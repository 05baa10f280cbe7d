//! The files of an encrypted backup on their way to whoever reads them. What is decrypted never lies in the directory of
//! backups, which may be on a share: it goes into a container that ends when we do, or into files without a name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::backup::crypt::{Identities, SUFFIX};
use crate::backup::error::Error;
use crate::backup::manifest::Manifest;
use crate::backup::relative::Relative;
use crate::backup::store::Entry;
use crate::backup::tree::Tree;
use crate::bytes;
use crate::engine::Engine;
use crate::{Error as CoreError, Session};

/// Of age's payload, bytes: each piece of a plaintext has a tag, and a nonce stands before all of them.
const PIECE: u64 = 64 << 10;
const TAG: u64 = 16;
const NONCE: u64 = 16;
/// A header has a line or two for each recipient, bytes.
const LONGEST_HEADER: u64 = 1 << 20;
/// What is handed on at a time, bytes.
const CHUNK: usize = 256 << 10;
/// Of a tar archive, bytes.
const BLOCK: u64 = 512;
pub(super) const PREFIX: &str = ".tg-plain-";

/// An encrypted backup, and who may read it.
pub struct Sealed {
    path: PathBuf,
    files: Vec<(Relative, Relative)>,
    identities: Identities,
}

/// Decrypted files without names, reached by links as long as this process lives.
pub struct Nameless {
    links: TempDir,
    _files: Vec<File>,
}

impl Sealed {
    /// What these identities can read, which is tried.
    pub fn of(entry: &Entry, manifest: &Manifest, identities: &Identities) -> Result<Self, Error> {
        if identities.is_empty() {
            return Err(Error::Encrypted { id: entry.id.clone(), recipients: manifest.recipients.clone() });
        }
        let names = manifest.files.iter().map(|file| &file.path);
        let files = names.filter_map(|name| Some((name.clone(), name.without(SUFFIX)?))).collect();
        let sealed = Sealed { path: entry.path.clone(), files, identities: identities.clone() };
        if let Some((first, _)) = sealed.files.first() {
            let tree = sealed.tree()?;
            sealed.identities.reader(&tree, first).map_err(|e| sealed.failed(first, e))?;
        }
        Ok(sealed)
    }

    /// Decrypts into a directory of a running container, which must end when we do: below that, into a new directory of
    /// this name, owned by user and group.
    pub fn bring(
        &self,
        engine: &Engine,
        container: &str,
        (directory, name): (&str, &str),
        owner: (u32, u32),
        session: &Session,
    ) -> Result<(), Error> {
        let doing = "decrypting the backup";
        session.check(doing)?;
        let (archive, broken) = self.archive(name, owner)?;
        let done = engine.unpack(container, directory, archive, || session.check("").is_err());
        if let Some(reason) = broken.take() {
            return Err(reason);
        }
        session.check(doing)?;
        if done? { Ok(()) } else { Err(session.deadline.error(doing).into()) }
    }

    /// All of it, decrypted, as a tar archive below a directory of this name. The second value has the reason where the
    /// archive breaks off.
    fn archive(&self, below: &str, owner: (u32, u32)) -> Result<(Archive, Arc<Broken>), Error> {
        let broken = Arc::new(Broken::default());
        let archive = Archive {
            tree: self.tree()?,
            path: self.path.clone(),
            identities: self.identities.clone(),
            files: self.files.clone().into_iter(),
            below: below.to_owned(),
            owner,
            current: None,
            state: State::Directories,
            broken: Arc::clone(&broken),
        };
        Ok((archive, broken))
    }

    /// Decrypts into files without names in a directory that has room for them; links to them are in one of its own.
    pub fn nameless(&self, root: &Path) -> Result<Nameless, Error> {
        let failed = |e: io::Error| Error::Core(CoreError::file(root, &e));
        let tree = self.tree()?;
        let needed = self.bytes()?;
        let free = bytes::free(root)?;
        if free < needed {
            return Err(Error::NoSpace { directory: root.display().to_string(), free, needed });
        }
        raise_limit();
        let links = tempfile::Builder::new().prefix(PREFIX).tempdir_in(root).map_err(failed)?;
        let mut files = Vec::new();
        for (name, plain) in &self.files {
            let write = || -> Result<File, age::DecryptError> {
                let mut file = tempfile::tempfile_in(root)?;
                io::copy(&mut self.identities.reader(&tree, name)?, &mut file)?;
                file.flush()?;
                let link = links.path().join(plain);
                link.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                symlink(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()), link)?;
                Ok(file)
            };
            files.push(write().map_err(|e| self.failed(name, e))?);
        }
        Ok(Nameless { links, _files: files })
    }

    /// A small text among them, by the name that it has when it is decrypted; nothing where it can't be read.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let (sealed, _) = self.files.iter().find(|(_, plain)| plain.as_str() == name)?;
        let reader = self.identities.reader(&self.tree().ok()?, sealed).ok()?;
        io::read_to_string(reader).ok()
    }

    /// Bytes of all of it, decrypted.
    pub fn bytes(&self) -> Result<u64, Error> {
        let tree = self.tree()?;
        self.files.iter().try_fold(0, |sum: u64, (name, _)| {
            let bytes = tree.file(name).and_then(|mut file| plain_bytes(&mut file));
            Ok(sum.saturating_add(bytes.map_err(|e| self.failed(name, age::DecryptError::Io(e)))?))
        })
    }

    fn tree(&self) -> Result<Tree, Error> {
        Tree::open(&self.path).map_err(|e| CoreError::file(&self.path, &e).into())
    }

    fn failed(&self, name: &Relative, error: age::DecryptError) -> Error {
        failed(&self.path, name, error)
    }
}

impl Nameless {
    /// Where the links are.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.links.path()
    }
}

/// Why an archive broke off.
#[derive(Default)]
struct Broken(Mutex<Option<Error>>);

impl Broken {
    /// The reason, once.
    fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A tar archive in pieces.
struct Archive {
    tree: Tree,
    path: PathBuf,
    identities: Identities,
    files: std::vec::IntoIter<(Relative, Relative)>,
    below: String,
    owner: (u32, u32),
    current: Option<Entrant>,
    state: State,
    broken: Arc<Broken>,
}

/// A file on its way.
struct Entrant {
    name: Relative,
    reader: Box<dyn Read + Send>,
    left: u64,
    padding: u64,
}

enum State {
    Directories,
    Files,
    Done,
}

impl Archive {
    fn piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(mut entrant) = self.current.take() {
            let piece = entrant.piece();
            let piece = piece.map_err(|e| failed(&self.path, &entrant.name, age::DecryptError::Io(e)))?;
            self.current = (entrant.left > 0).then_some(entrant);
            return Ok(Some(piece));
        }
        match self.state {
            State::Directories => {
                self.state = State::Files;
                let mut directories = vec![format!("{}/", self.below)];
                for (_, plain) in self.files.as_slice() {
                    let steps: Vec<&str> = plain.steps().collect();
                    for depth in 1..steps.len() {
                        let directory = format!("{}/{}/", self.below, steps[..depth].join("/"));
                        if !directories.contains(&directory) {
                            directories.push(directory);
                        }
                    }
                }
                let headers =
                    directories.iter().map(|name| self.header(name, tar::EntryType::Directory, 0, 0o700));
                Ok(Some(headers.collect::<Result<Vec<_>, _>>()?.concat()))
            }
            State::Files => {
                let Some((name, plain)) = self.files.next() else {
                    self.state = State::Done;
                    return Ok(Some(vec![0; 2 * usize::try_from(BLOCK).unwrap_or(0)]));
                };
                let wrong = |e| failed(&self.path, &name, e);
                let bytes = self.tree.file(&name).and_then(|mut file| plain_bytes(&mut file));
                let bytes = bytes.map_err(|e| wrong(age::DecryptError::Io(e)))?;
                let reader = self.identities.reader(&self.tree, &name).map_err(wrong)?;
                let path = format!("{}/{plain}", self.below);
                let header = self.header(&path, tar::EntryType::Regular, bytes, 0o600)?;
                let padding = (BLOCK - bytes % BLOCK) % BLOCK;
                self.current = (bytes > 0).then(|| Entrant { name, reader, left: bytes, padding });
                Ok(Some(header))
            }
            State::Done => Ok(None),
        }
    }

    fn header(&self, path: &str, kind: tar::EntryType, bytes: u64, mode: u32) -> Result<Vec<u8>, Error> {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).map_err(|e| CoreError::file(self.path.join(path), &e))?;
        header.set_entry_type(kind);
        header.set_size(bytes);
        header.set_mode(mode);
        header.set_uid(self.owner.0.into());
        header.set_gid(self.owner.1.into());
        header.set_cksum();
        Ok(header.as_bytes().to_vec())
    }
}

impl Iterator for Archive {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.piece() {
            Ok(piece) => piece.map(Ok),
            Err(error) => {
                self.state = State::Done;
                let told = io::Error::other(error.to_string());
                *self.broken.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some(Err(told))
            }
        }
    }
}

impl Entrant {
    /// The next bytes; with the last of them what fills the block. A plaintext of another length than its file's says that
    /// the file was cut or changed meanwhile.
    fn piece(&mut self) -> io::Result<Vec<u8>> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(CHUNK);
        let mut piece = vec![0; wanted];
        self.reader.read_exact(&mut piece)?;
        self.left -= wanted as u64;
        if self.left == 0 {
            if self.reader.read(&mut [0])? != 0 {
                return Err(io::Error::other("it has more content than its length says"));
            }
            piece.resize(wanted + usize::try_from(self.padding).unwrap_or(0), 0);
        }
        Ok(piece)
    }
}

/// How many bytes an encrypted file has when it is decrypted: by age's format, which is a header that ends with a line
/// `--- …`, and pieces of 64 KiB with a tag each (<https://age-encryption.org/v1>).
fn plain_bytes(file: &mut File) -> io::Result<u64> {
    let all = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let (mut lines, mut header) = (BufReader::new(file.take(LONGEST_HEADER)), 0);
    loop {
        let mut line = Vec::new();
        let read = lines.read_until(b'\n', &mut line)? as u64;
        header += read;
        if line.starts_with(b"--- ") && line.ends_with(b"\n") {
            break;
        }
        if read == 0 {
            return Err(io::Error::other("it is no file of age's"));
        }
    }
    let cut = || io::Error::other("it is cut");
    let payload = all.checked_sub(header + NONCE).filter(|payload| *payload >= TAG).ok_or_else(cut)?;
    let pieces = payload.div_ceil(PIECE + TAG);
    payload.checked_sub(pieces * TAG).ok_or_else(cut)
}

fn failed(directory: &Path, name: &Relative, error: age::DecryptError) -> Error {
    match error {
        age::DecryptError::NoMatchingKeys => Error::NotForUs,
        other => CoreError::file(directory.join(name), &io::Error::other(other.to_string())).into(),
    }
}

/// Each file stays open: as many as the system lets us.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // With fewer, opening one of them says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Removes what a killed run left: links, whose files went with it, and a directory whose guard was killed too.
pub fn sweep(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::crypt::Recipients;
    use crate::backup::output::Output;
    use crate::backup::synthetic::synthetic;
    use crate::backup::{digest, files};

    /// A backup whose files are encrypted, with one of this content more.
    fn sealed(root: &Path, content: &[u8]) -> (Sealed, PathBuf) {
        let plain = tempfile::tempdir().unwrap();
        let (mut manifest, from) = synthetic(plain.path());
        std::fs::write(from.join("data/3.dat"), content).unwrap();
        let path = root.join("backup");
        std::fs::create_dir(&path).unwrap();
        let mut recipients = Recipients::none();
        let identities = recipients.with_ephemeral();
        std::fs::remove_file(from.join("manifest.json")).unwrap();
        Output::open(&path, Some(&recipients)).unwrap().take(&from, &[], &|| false).unwrap();
        manifest.files = digest::seal(&path).unwrap();
        manifest.recipients = vec!["age1…".into()];
        let entry = Entry { id: "x".into(), path: path.clone(), manifest: Err(String::new()) };
        (Sealed::of(&entry, &manifest, &identities).unwrap(), path)
    }

    #[test]
    fn a_plaintext_has_as_many_bytes_as_its_file_says() {
        for bytes in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
            let root = tempfile::tempdir().unwrap();
            let (sealed, _) = sealed(root.path(), &vec![7; bytes]);
            let tree = sealed.tree().unwrap();
            let name = Relative::parse("data/3.dat.age").unwrap();
            assert_eq!(plain_bytes(&mut tree.file(&name).unwrap()).unwrap(), bytes as u64);
        }
    }

    #[test]
    fn a_text_is_read_by_the_name_that_it_has_decrypted() {
        let root = tempfile::tempdir().unwrap();
        let (sealed, _) = sealed(root.path(), b"1; 0 0 TABLE public t owner\n");
        assert_eq!(sealed.text("data/3.dat").unwrap(), "1; 0 0 TABLE public t owner\n");
        assert_eq!(sealed.text("data/3.dat.age"), None);
    }

    #[test]
    fn an_archive_has_every_file_as_it_was_before_it_was_encrypted() {
        let (root, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let content: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        let (sealed, _) = sealed(root.path(), &content);
        let (archive, broken) = sealed.archive("backup", (7, 8)).unwrap();
        let bytes = archive.collect::<Result<Vec<_>, _>>().unwrap().concat();
        let mut read = tar::Archive::new(bytes.as_slice());
        assert!(read.entries().unwrap().all(|entry| entry.unwrap().header().uid().unwrap() == 7));
        tar::Archive::new(bytes.as_slice()).unpack(to.path()).unwrap();
        let mut there = files::below(&to.path().join("backup")).unwrap().0;
        there.sort();
        let names = ["1.dat.zst", "2.dat.zst", "3.dat", "toc.dat"];
        assert_eq!(there, names.map(|name| to.path().join("backup/data").join(name)));
        assert_eq!(std::fs::read(to.path().join("backup/data/3.dat")).unwrap(), content);
        assert!(broken.take().is_none());
    }

    #[test]
    fn an_archive_of_a_file_that_was_cut_breaks_off_and_says_why() {
        let root = tempfile::tempdir().unwrap();
        let (sealed, path) = sealed(root.path(), &vec![7; 200_000]);
        let file = std::fs::OpenOptions::new().write(true).open(path.join("data/3.dat.age")).unwrap();
        file.set_len(file.metadata().unwrap().len() - 100).unwrap();
        let (archive, broken) = sealed.archive("backup", (0, 0)).unwrap();
        assert!(archive.collect::<Result<Vec<_>, _>>().is_err());
        assert!(broken.take().unwrap().to_string().contains("3.dat.age"));
    }

    #[test]
    fn files_without_a_name_are_read_by_their_links_and_gone_with_their_owner() {
        let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (sealed, _) = sealed(root.path(), b"a row");
        let nameless = sealed.nameless(state.path()).unwrap();
        let link = nameless.path().join("data/3.dat");
        assert_eq!(std::fs::read(&link).unwrap(), b"a row");
        assert!(files::below(nameless.path()).is_err(), "there are links and no files");
        drop(nameless);
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_stranger_is_told_at_once() {
        let root = tempfile::tempdir().unwrap();
        let (sealed, path) = sealed(root.path(), b"a row");
        let mut manifest = synthetic(tempfile::tempdir().unwrap().path()).0;
        manifest.files = digest::seal(&path).unwrap();
        let entry = Entry { id: "x".into(), path, manifest: Err(String::new()) };
        let stranger = Recipients::none().with_ephemeral();
        assert!(matches!(Sealed::of(&entry, &manifest, &stranger), Err(Error::NotForUs)));
        assert!(matches!(
            Sealed::of(&entry, &manifest, &Identities::default()),
            Err(Error::Encrypted { .. })
        ));
        assert!(Sealed::of(&entry, &manifest, &sealed.identities).is_ok());
    }
}
