//! One change at a time in a project: an advisory lock on a file that tells who holds it.
//!
//! A procedure of `scripts/` holds `lock` for its whole length; each tool that it starts under the
//! same run holds `step.lock` inside it. A tool started by itself takes both. So a tool that
//! outlives its killed procedure still keeps everybody else out. The programs that a tool starts
//! inherit its lock: when the tool is killed, the lock lasts until what it had begun has ended.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, event, state::State};

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
    acquire_files(state, &[(name, false)], tool, run, orphaned)
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
    acquire_files(state, &[("lock", true), (name, false)], tool, run, orphaned)
}

fn acquire_files(
    state: &State,
    names: &[(&str, bool)],
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
    let mut files = Vec::new();
    for &(name, may_be_ours) in names {
        let path = state.root().join(name);
        loop {
            match take(&path, &holder)? {
                Ok(file) => files.push(file),
                Err(other) if may_be_ours && other.run == run && !other.is_dead() => {}
                Err(other) if other.is_dead() => {
                    orphaned(&other)?;
                    continue;
                }
                Err(other) => return Err(Error::Locked { holder: other }),
            }
            break;
        }
    }
    Ok(Lock { _files: files })
}

/// The lock of one file: held, or whose it is.
fn take(path: &Path, holder: &Holder) -> Result<Result<File, Holder>, Error> {
    let failed = |e: &std::io::Error| Error::file(path, e);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| failed(&e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Err(read_holder(&mut file))),
        Err(TryLockError::Error(e)) => return Err(failed(&e)),
    }
    // Our children shall hold it too: see the top of this file.
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).map_err(|e| failed(&e.into()))?;
    let line = serde_json::to_string(holder).unwrap_or_default();
    file.set_len(0).and_then(|()| file.rewind()).map_err(|e| failed(&e))?;
    writeln!(file, "{line}").map_err(|e| failed(&e))?;
    Ok(Ok(file))
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
        let _procedure = take(&state.root().join("lock"), &procedure(std::process::id())).unwrap().unwrap();
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
        let _held = take(&state.root().join("lock"), &procedure(std::process::id())).unwrap().unwrap();
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
        let mut orphan = Some(take(&state.root().join("lock"), &procedure(u32::MAX)).unwrap().unwrap());
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
}
