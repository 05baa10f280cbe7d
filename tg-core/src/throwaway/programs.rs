//! Where an image keeps PostgreSQL's programs, and who may run them there.

use crate::backup::Error;

/// Prints the directory of a program of this major version, as PostgreSQL's packages lay it out; else the one in PATH. The
/// programs in Debian's /usr/bin are wrappers that choose a version by themselves, so they come last.
pub const FIND: &str = r#"find_programs() {
  for directory in "$(pg_config --bindir 2>/dev/null)" "/usr/lib/postgresql/$1/bin" "/usr/pgsql-$1/bin" "/usr/lib/postgresql$1/bin" \
    "/usr/libexec/postgresql$1" "/usr/local/pgsql-$1/bin" /usr/local/pgsql/bin /usr/local/bin /opt/*/postgresql/bin /opt/postgresql/bin \
    "/opt/postgresql/$1/bin" /usr/bin; do
    case "$("$directory/$2" --version 2>/dev/null)" in *") $1" | *") $1"[!0-9]*) echo "$directory" && return ;; esac
  done
  directory=$(command -v "$2") && directory=$(readlink -f "$directory") && echo "${directory%/*}"
}
"#;
/// The user of the server's own name in the images of PostgreSQL; where there is none, one who owns nothing.
const USER: &str = r#"for user in postgres pgsql _postgres nobody; do
  id -u "$user" >/dev/null 2>&1 && [ "$(id -u "$user")" != 0 ] && echo "$user" && exit
done
exit 1
"#;
/// What makes a server's directory.
const INITDB: &str = "initdb";
/// Runs a command with this directory before the others.
const IN_PATH: &str = r#"PATH="$0:$PATH" && export PATH && exec "$@""#;

/// Found once in a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Programs {
    directory: String,
    /// Who may run a server.
    pub user: String,
}

impl Programs {
    /// Asks the container; `shell` runs a script in it, as root.
    pub(super) fn find(
        image: &str,
        major: i32,
        shell: impl Fn(&str) -> Result<(i64, String), Error>,
    ) -> Result<Self, Error> {
        let missing = |what: &str| Error::Image { image: image.to_owned(), missing: what.to_owned() };
        let (code, text) = shell(&format!("{FIND}find_programs {major} {INITDB}"))?;
        let directory = last_line(&text);
        if code != 0 || !directory.starts_with('/') {
            return Err(missing(&format!("{INITDB} of PostgreSQL {major}")));
        }
        let (code, text) = shell(USER)?;
        let user = last_line(&text);
        if code != 0 || user.is_empty() {
            return Err(missing("user postgres or nobody"));
        }
        Ok(Programs { directory, user })
    }

    /// A command that finds the programs.
    pub(super) fn command<'c>(&'c self, words: &[&'c str]) -> Vec<&'c str> {
        [&["sh", "-c", IN_PATH, &self.directory][..], words].concat()
    }
}

fn last_line(text: &str) -> String {
    text.lines().next_back().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    fn program(directory: &Path, version: &str) {
        fs::create_dir_all(directory).unwrap();
        let path = directory.join("initdb");
        fs::write(&path, format!("#!/bin/sh\necho 'initdb (PostgreSQL) {version}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Looks below `root` instead of below `/`.
    fn found(root: &Path, path: &str, major: i32) -> String {
        let below = root.display().to_string();
        let script =
            FIND.replace("/usr/", &format!("{below}/usr/")).replace("/opt/", &format!("{below}/opt/"));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{script}find_programs {major} initdb")]);
        // Nothing of this host's own PostgreSQL.
        let tools = root.join("tools");
        let _ = fs::create_dir(&tools);
        let _ = std::os::unix::fs::symlink("/usr/bin/readlink", tools.join("readlink"));
        command.env("PATH", format!("{path}:{}", tools.display()));
        let output = command.output().unwrap();
        last_line(&String::from_utf8(output.stdout).unwrap()).replace(&below, "")
    }

    #[test]
    fn the_programs_of_the_right_version_are_found_wherever_packages_put_them() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        program(&at("usr/lib/postgresql/17/bin"), "17.2 (Debian 17.2-1)");
        program(&at("usr/lib/postgresql/18/bin"), "18beta1");
        program(&at("usr/pgsql-16/bin"), "16.4");
        program(&at("opt/vendor/postgresql/bin"), "15.9");
        program(&at("usr/local/bin"), "14.20");
        assert_eq!(found(root.path(), "/none", 17), "/usr/lib/postgresql/17/bin");
        assert_eq!(found(root.path(), "/none", 18), "/usr/lib/postgresql/18/bin");
        assert_eq!(found(root.path(), "/none", 16), "/usr/pgsql-16/bin");
        assert_eq!(found(root.path(), "/none", 15), "/opt/vendor/postgresql/bin");
        assert_eq!(found(root.path(), "/none", 14), "/usr/local/bin");
        assert_eq!(found(root.path(), "/none", 13), "", "1 is not 13, and 13 is not there");
        let another = at("somewhere");
        program(&another, "19.1");
        assert_eq!(found(root.path(), &another.display().to_string(), 13), "/somewhere", "in PATH");
    }

    #[test]
    fn an_image_without_them_is_named_with_what_it_lacks() {
        let error = Programs::find("own/image:1", 17, |_| Ok((127, String::new()))).unwrap_err();
        assert!(error.to_string().contains("own/image:1") && error.to_string().contains("initdb"), "{error}");
    }
}
