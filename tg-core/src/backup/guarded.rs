//! A directory for plaintext that goes with the process, however that ends: a second process waits for our end.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

use crate::Error;
use crate::backup::sealed::PREFIX;

/// Waits for the end of its input, ends the process group that was named last, and removes the directory: again and again
/// for a minute, since what a killed process had begun may still write for a moment.
const GUARD: &str = r#"trap "" HUP INT TERM
group=
while read -r line; do group=$line; done
[ -z "$group" ] || kill -s KILL -- "-$group"
tries=0
until rm -rf -- "$1" || [ "$tries" = 600 ]; do
  tries=$((tries + 1))
  sleep 0.1
done"#;

/// The directory, which only its owner can enter.
///
/// Its guard is in a session of its own, so that a signal to our process group or terminal does not reach it. As every program
/// of ours it inherits the project's lock, and the next run waits until the plaintext is gone.
pub struct Guarded {
    directory: TempDir,
    guard: Child,
    /// Ours alone: no other program inherits it, so it ends with us.
    input: Option<ChildStdin>,
}

impl Guarded {
    /// Makes one in a directory.
    pub fn new(root: &Path) -> Result<Self, Error> {
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(root);
        let directory = directory.map_err(|e| Error::file(root, &e))?;
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", GUARD, "sh"]).arg(directory.path()).current_dir("/");
        let guard = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut guard =
            guard.map_err(|e| Error::Program { program: "setsid".into(), problem: e.to_string() })?;
        let input = guard.stdin.take();
        Ok(Guarded { directory, guard, input })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Names the process group that writes into it and has to end with us, or says that it has ended.
    pub fn writer(&self, group: Option<u32>) -> io::Result<()> {
        let line = group.map_or_else(String::new, |group| group.to_string());
        self.input.as_ref().map_or(Ok(()), |mut input| input.write_all(format!("{line}\n").as_bytes()))
    }

    /// Removes it.
    pub fn close(mut self) -> Result<(), Error> {
        self.end();
        let path = self.path();
        if path.exists() {
            return Err(Error::file(path, &io::Error::other("the directory can't be removed")));
        }
        Ok(())
    }

    fn end(&mut self) {
        self.input = None;
        // It ends by itself; how does not matter, only what it left.
        let _ = self.guard.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

    const ROOT: &str = "TG_TEST_GUARDED_ROOT";
    const PATIENCE: Duration = Duration::from_secs(20);

    fn eventually(what: &str, mut done: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Not a test: the process that the next one kills.
    #[test]
    #[ignore = "run by another test"]
    fn holder() {
        let Some(root) = std::env::var_os(ROOT) else { return };
        let guarded = Guarded::new(Path::new(&root)).unwrap();
        let mut writer = Command::new("sh");
        writer.args(["-c", "n=0; while :; do n=$((n + 1)); echo row >\"$0/$n.dat\"; done"]);
        let mut writer = writer.arg(guarded.path()).process_group(0).stderr(Stdio::null()).spawn().unwrap();
        guarded.writer(Some(writer.id())).unwrap();
        std::fs::write(Path::new(&root).join("writer"), writer.id().to_string()).unwrap();
        writer.wait().unwrap();
    }

    #[test]
    fn the_directory_and_who_writes_into_it_go_with_a_process_group_that_is_killed() {
        let root = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "backup::guarded::tests::holder", "--ignored"]).env(ROOT, root.path());
        let mut holder = command.stdout(Stdio::null()).process_group(0).spawn().unwrap();
        let plain = || {
            let entries = std::fs::read_dir(root.path()).unwrap().flatten().map(|entry| entry.path());
            entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
        };
        let number = || -> Option<Pid> {
            let text = std::fs::read_to_string(root.path().join("writer")).ok()?;
            Pid::from_raw(text.parse().ok()?)
        };
        let written = || plain().first().is_some_and(|directory| directory.join("9.dat").exists());
        eventually("nothing is written", || written() && number().is_some());
        let group = Pid::from_raw(i32::try_from(holder.id()).unwrap()).unwrap();
        kill_process_group(group, Signal::KILL).unwrap();
        holder.wait().unwrap();
        eventually("the plaintext stays", || plain().is_empty());
        eventually("the writer lives", || test_kill_process_group(number().unwrap()).is_err());
    }

    #[test]
    fn it_is_gone_when_it_is_closed_or_dropped_and_ends_nobody_who_has_ended_before() {
        let root = tempfile::tempdir().unwrap();
        let mut bystander = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
        for close in [true, false] {
            let guarded = Guarded::new(root.path()).unwrap();
            guarded.writer(Some(bystander.id())).unwrap();
            std::fs::write(guarded.path().join("toc.dat"), "PGDMP").unwrap();
            guarded.writer(None).unwrap();
            if close {
                guarded.close().unwrap();
            } else {
                drop(guarded);
            }
            assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        }
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
