//! One change at a time in a project: an advisory lock on a file that tells who holds it.
//!
//! A procedure of `scripts/` holds `lock` for its whole length; each tool that it starts under the
//! same run holds `step.lock` inside it. A tool started by itself takes both. So a tool that
//! outlives its killed procedure still keeps everybody else out. The programs that a tool starts
//! inherit its lock: when the tool is killed, the lock lasts until what it had begun has ended.
//!
//! The project is one on its engine, however many directories describe it: a second file, outside of them, is
//! locked together with `lock`. It is the same for everybody on this host who speaks to that engine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::settings::process_env;
use crate::{Error, event, hex, state::State};

/// Where this host keeps locks, for every user.
const LOCKS: &str = "/run/lock";
/// The mode of a lock inside the project's state, which is its owner's alone.
const OWNER_ALONE: u32 = 0o600;
/// The mode of a lock outside of it: another user of the same project must be able to open it.
const READ_BY_ALL: u32 = 0o644;
const NO_FOLLOW: i32 = OFlags::NOFOLLOW.bits().cast_signed();
/// What a file that is open to be read says to who writes.
const BAD_DESCRIPTOR: i32 = Errno::BADF.raw_os_error();

/// Who holds the lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// Tool or procedure.
    pub tool: String,
    /// Process.
    pub pid: u32,
    /// Host name.
    pub host: String,
    /// Run that the holder belongs to.
    pub run: String,
    /// RFC 3339.
    pub since: String,
}

impl Holder {
    /// For messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match self.tool.as_str() {
            "" => "another tg tool".into(),
            tool => format!("{tool} (pid {})", self.pid),
        }
    }

    /// Whether the process is gone, as far as this host can tell.
    fn is_dead(&self) -> bool {
        if self.pid == 0 || self.host != hostname() {
            return false;
        }
        // A killed process that nobody has waited for yet still has its entry, in state Z.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_none_or(|state| ['Z', 'X'].contains(&state))
    }
}

/// The held lock; it ends with the value, or with the process however that dies.
#[derive(Debug)]
pub struct Lock {
    _files: Vec<File>,
}

/// Takes the project's lock for one tool, or fails at once with the holder. Where the holder is
/// dead and only a program that it had started is still at work, `orphaned` is called again and
/// again until that has ended; it sleeps, and gives up by failing.
pub fn acquire(
    state: &State,
    tool: &str,
    run: &str,
    orphaned: &mut dyn FnMut(&Holder) -> Result<(), Error>,
) -> Result<Lock, Error> {
    acquire_beside(state, "step.lock", tool, run, orphaned)
}

/// Takes a lock of its own kind, for work that changes nothing of the project and may go on beside
/// a change.
pub fn acquire_named(
    state: &State,
    name: &str,
    tool: &str,
    run: &str,
    orphaned: &mut dyn FnMut(&Holder) -> Result<(), Error>,
) -> Result<Lock, Error> {
    acquire_files(state, &[(state.root().join(name), false)], tool, run, orphaned)
}

/// Takes the project's lock, and inside it one of its own kind: for a step of a procedure that may go on beside
/// another step of it.
pub fn acquire_beside(
    state: &State,
    name: &str,
    tool: &str,
    run: &str,
    orphaned: &mut dyn FnMut(&Holder) -> Result<(), Error>,
) -> Result<Lock, Error> {
    let mut files = vec![(state.root().join("lock"), true)];
    files.extend(state.shared_lock().map(|path| (path.to_owned(), true)));
    files.push((state.root().join(name), false));
    acquire_files(state, &files, tool, run, orphaned)
}

/// Where the lock of a project on its engine is: where `TG_LOCK_DIR` says, else where this host keeps locks.
pub(crate) fn shared(project: &str) -> PathBuf {
    let directory = process_env("TG_LOCK_DIR").map(PathBuf::from);
    let directory = directory.or_else(|| Some(PathBuf::from(LOCKS)).filter(|dir| dir.is_dir()));
    let engine = process_env("DOCKER_HOST").unwrap_or_else(|| "unix:///var/run/docker.sock".into());
    let key = hex(&Sha256::digest(format!("{engine}\0{project}")));
    directory.unwrap_or_else(std::env::temp_dir).join(format!("tg-{project}-{}.lock", &key[..8]))
}

fn acquire_files(
    state: &State,
    files: &[(PathBuf, bool)],
    tool: &str,
    run: &str,
    orphaned: &mut dyn FnMut(&Holder) -> Result<(), Error>,
) -> Result<Lock, Error> {
    state.create()?;
    let holder = Holder {
        tool: tool.into(),
        pid: std::process::id(),
        host: hostname(),
        run: run.into(),
        since: event::now(),
    };
    let mut held = Vec::new();
    for (path, may_be_ours) in files {
        loop {
            let mode = if path.starts_with(state.root()) { OWNER_ALONE } else { READ_BY_ALL };
            match take(path, mode, &holder)? {
                Ok(file) => held.push(file),
                Err(other) if *may_be_ours && other.run == run && !other.is_dead() => {}
                Err(other) if other.is_dead() => {
                    orphaned(&other)?;
                    continue;
                }
                Err(other) => return Err(Error::Locked { holder: other }),
            }
            break;
        }
    }
    Ok(Lock { _files: held })
}

/// The lock of one file: held, or whose it is.
fn take(path: &Path, mode: u32, holder: &Holder) -> Result<Result<File, Holder>, Error> {
    let failed = |e: &std::io::Error| Error::file(path, e);
    let mut file = open(path, mode).map_err(|e| failed(&e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Err(read_holder(&mut file))),
        Err(TryLockError::Error(e)) => return Err(failed(&e)),
    }
    // Our children shall hold it too: see the top of this file.
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).map_err(|e| failed(&e.into()))?;
    let line = serde_json::to_string(holder).unwrap_or_default();
    let signed = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{line}"));
    match signed {
        // It is another user's file, and holds all the same.
        Err(e) if e.kind() != ErrorKind::InvalidInput && e.raw_os_error() != Some(BAD_DESCRIPTOR) => {
            Err(failed(&e))
        }
        _ => Ok(Ok(file)),
    }
}

/// Opens a lock's file, made where it is missing; a link in its place is not followed. Where it is another user's, to read it is
/// enough for a lock.
fn open(path: &Path, mode: u32) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(NO_FOLLOW).mode(mode);
    match options.clone().write(true).open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => options.write(true).create(true).open(path),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => options.open(path),
        opened => opened,
    }
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    serde_json::from_str(&text).unwrap_or_default()
}

/// This host's name, from the kernel.
#[must_use]
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(state: &State, tool: &str, run: &str) -> Result<Lock, Error> {
        acquire(state, tool, run, &mut |_| Err(Error::Interrupted))
    }

    fn procedure(pid: u32) -> Holder {
        Holder { tool: "upgrade".into(), run: "r".into(), pid, host: hostname(), ..Holder::default() }
    }

    #[test]
    fn a_step_that_may_go_on_beside_another_does_so_in_its_own_procedure_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().join(".tg"));
        let beside =
            |run: &str| acquire_beside(&state, "pull.lock", "tg-swap", run, &mut |_| Err(Error::Interrupted));
        state.create().unwrap();
        let _procedure =
            take(&state.root().join("lock"), OWNER_ALONE, &procedure(std::process::id())).unwrap().unwrap();
        let _step = now(&state, "tg-backup", "r").unwrap();
        let first = beside("r").unwrap();
        assert!(matches!(beside("r"), Err(Error::Locked { .. })), "one of its kind");
        drop(first);
        assert!(matches!(beside("another"), Err(Error::Locked { .. })));
        assert!(beside("r").is_ok());
    }

    #[test]
    fn the_second_taker_learns_who_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().join(".tg"));
        let held = now(&state, "tg-swap", "run-1").unwrap();
        match now(&state, "tg-backup", "run-2") {
            Err(Error::Locked { holder }) => {
                assert_eq!((holder.tool.as_str(), holder.run.as_str()), ("tg-swap", "run-1"));
                assert_eq!(holder.pid, std::process::id());
            }
            other => panic!("{other:?}"),
        }
        drop(held);
        now(&state, "tg-backup", "run-2").unwrap();
    }

    #[test]
    fn a_tool_enters_the_lock_of_its_own_procedure_but_only_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().to_owned());
        let _held =
            take(&state.root().join("lock"), OWNER_ALONE, &procedure(std::process::id())).unwrap().unwrap();
        let first = now(&state, "tg-migrate", "r").unwrap();
        assert!(matches!(now(&state, "tg-swap", "r"), Err(Error::Locked { .. })));
        assert!(matches!(now(&state, "tg-swap", "other"), Err(Error::Locked { .. })));
        drop(first);
        now(&state, "tg-swap", "r").unwrap();
    }

    #[test]
    fn what_a_killed_tool_had_begun_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().to_owned());
        // No process has this number: it is above the kernel's highest.
        let mut orphan =
            Some(take(&state.root().join("lock"), OWNER_ALONE, &procedure(u32::MAX)).unwrap().unwrap());
        let mut waited = 0;
        acquire(&state, "tg-swap", "r", &mut |holder| {
            assert_eq!(holder.tool, "upgrade");
            waited += 1;
            orphan.take();
            Ok(())
        })
        .unwrap();
        assert_eq!(waited, 1);
    }

    #[test]
    fn a_second_directory_of_the_same_project_meets_the_lock_of_the_first() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let project = format!("unit-{}", std::process::id());
        let state =
            |dir: &tempfile::TempDir, project: &str| State::at(dir.path().to_owned()).of_project(project);
        let held = now(&state(&first, &project), "tg-swap", "run-1").unwrap();
        let met = now(&state(&second, &project), "tg-backup", "run-2");
        assert!(matches!(met, Err(Error::Locked { holder }) if holder.tool == "tg-swap"));
        now(&state(&second, "another"), "tg-backup", "run-3").unwrap();
        drop(held);
        now(&state(&second, &project), "tg-backup", "run-2").unwrap();
        for name in [&project, "another"] {
            std::fs::remove_file(shared(name)).unwrap();
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_lock_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join("lock")).unwrap();
        assert!(now(&State::at(dir.path().to_owned()), "tg-swap", "r").is_err());
        assert_eq!(std::fs::read_to_string(victim).unwrap(), "precious");
    }
}
