//! A directory whose files are opened without following anything: another user may be able to write
//! where backups lie, and a link that he puts there leads nowhere.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::backup::relative::Relative;

const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
const DIR_MODE: Mode = Mode::from_raw_mode(0o700);
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);
/// What has to do with links and devices: a pipe without a writer must not hold us up.
const CAREFUL: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// An opened directory.
pub struct Tree(OwnedFd);

impl Tree {
    /// Opens a directory, unless its name is a link.
    pub fn open(path: &Path) -> io::Result<Self> {
        let opened = rustix::fs::open(path, DIRECTORY | CAREFUL, Mode::empty());
        opened.map(Tree).map_err(|e| explained(e, "it"))
    }

    /// Opens a regular file below it for reading.
    pub fn file(&self, path: &Relative) -> io::Result<File> {
        let (directory, name) = self.parent(path, &|parent, step| descend(parent, step))?;
        let directory = directory.as_ref().map_or(self.0.as_fd(), AsFd::as_fd);
        let fd = rustix::fs::openat(directory, name, OFlags::RDONLY | CAREFUL, Mode::empty());
        let file = File::from(fd.map_err(|e| explained(e, name))?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
    }

    /// Makes a new file below it that only its owner can read, and the directories to it. What is there
    /// already is neither followed nor overwritten.
    pub fn create(&self, path: &Relative) -> io::Result<File> {
        let (directory, name) =
            self.parent(path, &|parent, step| match rustix::fs::mkdirat(parent, step, DIR_MODE) {
                Ok(()) | Err(Errno::EXIST) => descend(parent, step),
                Err(e) => Err(e.into()),
            })?;
        let directory = directory.as_ref().map_or(self.0.as_fd(), AsFd::as_fd);
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | CAREFUL;
        Ok(File::from(rustix::fs::openat(directory, name, new, FILE_MODE)?))
    }

    /// A text below it, if it is not longer than this many bytes.
    pub fn text(&self, path: &Relative, most: u64) -> io::Result<String> {
        let mut text = String::new();
        let read = self.file(path)?.take(most.saturating_add(1)).read_to_string(&mut text)?;
        if read as u64 > most {
            return Err(io::Error::other(format!("it has more than {most} bytes")));
        }
        Ok(text)
    }

    /// The directory that a path's last step is in (nothing where it is this one), and that step.
    fn parent<'p>(
        &self,
        path: &'p Relative,
        enter: &dyn Fn(rustix::fd::BorrowedFd, &str) -> io::Result<OwnedFd>,
    ) -> io::Result<(Option<OwnedFd>, &'p str)> {
        let (mut directory, mut last): (Option<OwnedFd>, _) = (None, None);
        for step in path.steps() {
            if let Some(last) = last {
                directory = Some(enter(directory.as_ref().map_or(self.0.as_fd(), AsFd::as_fd), last)?);
            }
            last = Some(step);
        }
        Ok((directory, last.unwrap_or_default()))
    }
}

impl From<Tree> for File {
    fn from(tree: Tree) -> Self {
        File::from(tree.0)
    }
}

/// Whether there is a link of this name.
#[must_use]
pub fn is_link(path: &Path) -> bool {
    rustix::fs::lstat(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

fn descend(parent: rustix::fd::BorrowedFd, step: &str) -> io::Result<OwnedFd> {
    rustix::fs::openat(parent, step, DIRECTORY | CAREFUL, Mode::empty()).map_err(|e| explained(e, step))
}

fn explained(error: Errno, name: &str) -> io::Error {
    match error {
        Errno::LOOP => io::Error::other(format!("{name} is a symbolic link, which is not followed")),
        Errno::NOTDIR => io::Error::other(format!("{name} is not a directory, and a link is not followed")),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn relative(path: &str) -> Relative {
        Relative::parse(path).unwrap()
    }

    #[test]
    fn a_link_is_followed_nowhere_on_the_way() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("file"), "secret").unwrap();
        symlink(outside.path(), dir.path().join("data")).unwrap();
        symlink(outside.path().join("file"), dir.path().join("file")).unwrap();
        symlink(dir.path(), outside.path().join("tree")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        for path in ["file", "data/file"] {
            let told = tree.file(&relative(path)).unwrap_err().to_string();
            assert!(told.contains("link"), "{path}: {told}");
            assert!(tree.create(&relative(path)).is_err(), "{path}");
        }
        assert!(tree.create(&relative("data/new")).is_err());
        assert!(Tree::open(&outside.path().join("tree")).is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 2, "nothing was written there");
    }

    #[test]
    fn what_is_no_regular_file_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, FILE_MODE, 0).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        assert_eq!(tree.file(&relative("pipe")).unwrap_err().to_string(), "it is not a regular file");
    }

    #[test]
    fn a_new_file_is_its_owner_s_alone_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        tree.create(&relative("a/b/c")).unwrap().write_all(b"text").unwrap();
        assert_eq!(tree.text(&relative("a/b/c"), 4).unwrap(), "text");
        assert!(tree.text(&relative("a/b/c"), 3).unwrap_err().to_string().contains("more than 3 bytes"));
        let mode = |path: &str| dir.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("a"), mode("a/b/c")), (0o700, 0o600));
        assert_eq!(tree.create(&relative("a/b/c")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
