//! A file that is made, changed or removed; all of several, or none.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use similar::TextDiff;
use tg_core::{Error, atomic_file};

/// HAProxy reads its files as a user of its own.
const PUBLIC_DIR: u32 = 0o755;
const CONTEXT_LINES: usize = 3;

/// One file before and after; `None` where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub path: PathBuf,
    pub before: Option<String>,
    pub after: Option<String>,
    /// Lines that don't change may hold secrets and are not shown.
    pub private: bool,
}

impl Change {
    /// From what is there now to `after`.
    pub(super) fn to(path: PathBuf, after: Option<String>) -> Result<Self, Error> {
        Ok(Change { before: read(&path)?, path, after, private: false })
    }

    pub(super) fn is_none(&self) -> bool {
        self.before == self.after
    }

    /// As diff -u prints it, with paths relative to the project's directory.
    pub(super) fn diff(&self, directory: &Path) -> String {
        let name = self.path.strip_prefix(directory).unwrap_or(&self.path).display();
        let side = |letter, text: &Option<String>| {
            text.as_ref().map_or("/dev/null".into(), |_| format!("{letter}/{name}"))
        };
        let [before, after] = [&self.before, &self.after].map(|text| {
            let text = text.as_deref().unwrap_or_default();
            // Nor is a last line that only gets its end.
            let unended = self.private && !text.is_empty() && !text.ends_with('\n');
            let end = match text.contains("\r\n") {
                _ if !unended => "",
                true => "\r\n",
                false => "\n",
            };
            format!("{text}{end}")
        });
        TextDiff::from_lines(&before, &after)
            .unified_diff()
            .context_radius(if self.private { 0 } else { CONTEXT_LINES })
            .header(&side('a', &self.before), &side('b', &self.after))
            .to_string()
    }

    fn inverse(&self) -> Self {
        Change { before: self.after.clone(), after: self.before.clone(), ..self.clone() }
    }

    fn make(&self) -> Result<(), Error> {
        match &self.after {
            Some(text) => {
                make_parent(&self.path)?;
                atomic_file::replace(&self.path, text.as_bytes())
            }
            None => remove(&self.path),
        }
    }
}

/// Makes them in their order; stops at the first that fails.
pub(super) fn make_all(changes: &[Change]) -> Result<(), Error> {
    changes.iter().try_for_each(Change::make)
}

/// Takes back those that were made, last first.
pub(super) fn take_back(changes: &[Change]) -> Result<(), Error> {
    for change in changes.iter().rev() {
        if read(&change.path)? != change.before {
            change.inverse().make()?;
        }
    }
    Ok(())
}

/// The text of a file, or nothing where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::file(path, &e)),
    }
}

fn make_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent().filter(|parent| !parent.exists()) else { return Ok(()) };
    fs::create_dir(parent)
        .and_then(|()| fs::set_permissions(parent, Permissions::from_mode(PUBLIC_DIR)))
        .map_err(|e| Error::file(parent, &e))
}

/// Removes a file, and its directory with the last one.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::file(path, &e)),
        _ => {}
    }
    match path.parent() {
        // Refused by the system while something is in it.
        Some(parent) if fs::remove_dir(parent).is_err() && parent.exists() => atomic_file::sync_dir(parent),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_and_a_changed_line_are_shown_as_diff_prints_them() {
        let directory = Path::new("/p");
        let made = Change { path: "/p/h/a".into(), before: None, after: Some("x\n".into()), private: false };
        assert_eq!(made.diff(directory), "--- /dev/null\n+++ b/h/a\n@@ -0,0 +1 @@\n+x\n");
        let env = Change {
            path: "/p/.env".into(),
            before: Some("PASSWORD=s3cret\nA=1\nTOKEN=s3cret".into()),
            after: Some("PASSWORD=s3cret\nA=2\nTOKEN=s3cret\n".into()),
            private: true,
        };
        assert_eq!(env.diff(directory), "--- a/.env\n+++ b/.env\n@@ -2 +2 @@\n-A=1\n+A=2\n");
    }

    #[test]
    fn what_failed_in_the_middle_is_taken_back_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("old"), "old").unwrap();
        let changes = [
            Change::to(path("sub/new"), Some("new".into())).unwrap(),
            Change::to(path("old"), Some("changed".into())).unwrap(),
            Change::to(path("no/such/directory"), Some("x".into())).unwrap(),
        ];
        assert!(make_all(&changes).is_err());
        assert_eq!(fs::read_to_string(path("old")).unwrap(), "changed");
        take_back(&changes).unwrap();
        assert_eq!(fs::read_to_string(path("old")).unwrap(), "old");
        assert!(!path("sub").exists() && !path("no").exists());
    }
}
