//! What a service's mounts become in a rehearsal: private copies, empty volumes, and where the database's socket is, the socket of
//! the rehearsal's own server.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tg_core::Error as CoreError;

use crate::error::MigrateError;
use crate::rehearse::tree::{self, Copied};

/// A directory in them holds the host's own state; a plain file in the first three is a way into the kernel.
const OF_THE_KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];
const OF_THE_HOST: [&str; 3] = ["/run", "/var/run", "/var/lib/docker"];

/// The files of the host that a rehearsal shows to its containers.
pub(super) struct Mounts {
    /// Copies, gone with the value.
    copies: TempDir,
    /// What is never copied: our own state, backups, and what the database itself mounts.
    skip: Vec<PathBuf>,
    /// Mounts of the real database that hold its socket.
    sockets: BTreeSet<Source>,
    /// Where the rehearsal's server has its own.
    socket: PathBuf,
    known: RefCell<BTreeMap<PathBuf, Given>>,
    shown: RefCell<BTreeSet<PathBuf>>,
}

/// What a mount is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Bind(PathBuf),
    Volume(String),
}

/// What the containers get of a path of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    /// This path, to be read; and what is not in it.
    Path(PathBuf, Option<String>),
    /// An empty directory, and why.
    Empty(String),
    /// Nothing at all, and why.
    Nothing(String),
}

/// The mounts of a service in the rehearsal, and what is different there.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Mounted {
    pub volumes: Vec<Value>,
    pub notes: Vec<String>,
}

impl Source {
    /// Of a mount as Compose prints it.
    pub(super) fn of(volume: &Value) -> Option<Self> {
        let source = volume["source"].as_str()?.to_owned();
        Some(if volume["type"] == "bind" {
            Source::Bind(fs::canonicalize(&source).unwrap_or_else(|_| source.into()))
        } else {
            Source::Volume(source)
        })
    }
}

/// The mounts of a service that lie at one of these directories of its container.
pub(super) fn at(service: &Value, directories: &[String]) -> BTreeSet<Source> {
    // Where one is a link to the other, as in every usual image.
    let plain = |path: &str| path.trim_end_matches('/').replacen("/var/run/", "/run/", 1);
    let all = service["volumes"].as_array().into_iter().flatten();
    let there = |volume: &&Value| {
        volume["target"].as_str().is_some_and(|target| directories.iter().any(|d| plain(d) == plain(target)))
    };
    all.filter(there).filter_map(Source::of).collect()
}

/// The directories of the host that a service mounts.
pub(super) fn binds(service: &Value) -> Vec<PathBuf> {
    let all = service["volumes"].as_array().into_iter().flatten().filter_map(Source::of);
    all.filter_map(|source| match source {
        Source::Bind(path) => Some(path),
        Source::Volume(_) => None,
    })
    .collect()
}

impl Mounts {
    pub(super) fn new(
        state: &Path,
        skip: &[PathBuf],
        sockets: BTreeSet<Source>,
        socket: &Path,
    ) -> Result<Self, MigrateError> {
        let wrong = |e: std::io::Error| CoreError::file(state, &e);
        // As the engine names it afterwards.
        let root = fs::canonicalize(state).map_err(wrong)?;
        let copies =
            tempfile::Builder::new().prefix(super::stage::FILE_PREFIX).tempdir_in(&root).map_err(wrong)?;
        let canonical = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let skip = skip.iter().map(canonical).chain(std::iter::once(root)).collect();
        let socket = fs::canonicalize(socket).map_err(|e| CoreError::file(socket, &e))?;
        Ok(Mounts { copies, skip, sockets, socket, known: RefCell::default(), shown: RefCell::default() })
    }

    /// Every path of the host that a container may have.
    pub(super) fn shown(&self) -> BTreeSet<PathBuf> {
        self.shown.borrow().clone()
    }

    /// The mounts of a service as they are in the rehearsal.
    pub(super) fn of(&self, service: &Value) -> Result<Mounted, MigrateError> {
        let mut mounted = Mounted::default();
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let target = &volume["target"];
            let (given, note) = self.one(volume)?;
            mounted.volumes.extend(given);
            mounted.notes.extend(note.map(|note| format!("{}: {note}", target.as_str().unwrap_or_default())));
        }
        Ok(mounted)
    }

    fn one(&self, volume: &Value) -> Result<(Option<Value>, Option<String>), MigrateError> {
        let target = &volume["target"];
        let empty = json!({"type": "volume", "target": target});
        let source = Source::of(volume);
        if source.as_ref().is_some_and(|source| self.sockets.contains(source)) {
            let note = "the socket of the rehearsal's own server, in the place of the database's";
            return Ok((Some(self.bind(&self.socket, target)), Some(note.into())));
        }
        Ok(match (volume["type"].as_str(), source) {
            (Some("bind"), Some(Source::Bind(path))) => match self.given(&path)? {
                Given::Path(path, note) => (Some(self.bind(&path, target)), note),
                Given::Empty(why) => (Some(empty), Some(why)),
                Given::Nothing(why) => (None, Some(why)),
            },
            (Some("tmpfs"), _) => (Some(memory(volume)), None),
            (Some("volume"), _) => (Some(empty), None),
            (Some(other), _) => (None, Some(format!("a mount of type {other} is left out"))),
            (None, _) => (None, Some("a mount without a type is left out".into())),
        })
    }

    fn bind(&self, path: &Path, target: &Value) -> Value {
        self.shown.borrow_mut().insert(path.to_owned());
        json!({"type": "bind", "source": path, "target": target, "read_only": true, "bind": {"create_host_path": false}})
    }

    fn given(&self, path: &Path) -> Result<Given, MigrateError> {
        if let Some(known) = self.known.borrow().get(path) {
            return Ok(known.clone());
        }
        let given = self.look(path)?;
        self.known.borrow_mut().insert(path.to_owned(), given.clone());
        Ok(given)
    }

    fn look(&self, path: &Path) -> Result<Given, MigrateError> {
        let shown = path.display();
        let metadata = match fs::metadata(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Ok(Given::Empty(format!("empty: {shown} does not exist")));
            }
            other => other.map_err(|e| CoreError::file(path, &e))?,
        };
        let within = |roots: [&str; 3]| roots.iter().any(|root| path.starts_with(root));
        if !metadata.is_dir() {
            return Ok(match tree::door(&metadata) {
                Some(kind) => Given::Nothing(format!("left out: {shown} is a {kind}")),
                None if within(OF_THE_KERNEL) => {
                    Given::Nothing(format!("left out: {shown} is the host's own"))
                }
                None => Given::Path(path.to_owned(), None),
            });
        }
        if path == Path::new("/") || within(OF_THE_KERNEL) || within(OF_THE_HOST) {
            return Ok(Given::Empty(format!("empty: {shown} is the host's own")));
        }
        if self.skip.iter().any(|own| path.starts_with(own)) {
            return Ok(Given::Empty(format!("empty: {shown} belongs to the database or to tg")));
        }
        let copy = self.copies.path().join(self.known.borrow().len().to_string());
        Ok(match tree::copy(path, &copy, &self.skip)? {
            Copied::Whole(doors) if doors.is_empty() => Given::Path(copy, None),
            Copied::Whole(doors) => {
                let all: Vec<String> = doors.iter().map(ToString::to_string).collect();
                Given::Path(copy, Some(format!("a copy without {}", all.join(", "))))
            }
            Copied::TooLarge => Given::Empty(format!("empty: {shown} is too large to be copied")),
        })
    }

    /// The definitions of those secrets, or configs, that services use. Compose mounts their files as they are.
    pub(super) fn definitions(
        &self,
        kind: &str,
        model: &Value,
        used: &BTreeSet<String>,
        project: &Path,
    ) -> Result<Map<String, Value>, MigrateError> {
        let mut all = Map::new();
        for name in used {
            let definition = &model[kind][name];
            let kept = ["content", "environment", "external", "name"];
            let mut own: Map<String, Value> = kept
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), definition.get(key)?.clone())))
                .collect();
            if let Some(file) = definition["file"].as_str() {
                let path = project.join(file);
                let path = fs::canonicalize(&path).map_err(|e| CoreError::file(&path, &e))?;
                let Given::Path(path, _) = self.given(&path)? else {
                    let way = format!(
                        "{} of {kind}.{name} is neither a file nor a directory of files",
                        path.display()
                    );
                    return Err(MigrateError::NotIsolated(vec![way]));
                };
                self.shown.borrow_mut().insert(path.clone());
                own.insert("file".into(), json!(path));
            }
            all.insert(name.clone(), Value::Object(own));
        }
        Ok(all)
    }
}

/// A mount of memory, with its size and mode.
fn memory(volume: &Value) -> Value {
    let mut mount = json!({"type": "tmpfs", "target": volume["target"]});
    if volume["tmpfs"].is_object() {
        mount["tmpfs"] = volume["tmpfs"].clone();
    }
    mount
}

/// The names of the secrets, or configs, that a service uses.
pub(super) fn used(service: &Value, kind: &str) -> Vec<String> {
    let all = service[kind].as_array().into_iter().flatten();
    all.filter_map(|entry| entry["source"].as_str().or_else(|| entry.as_str()).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    struct Host {
        dir: TempDir,
        mounts: Mounts,
    }

    impl Host {
        /// A project whose database has `run` and `data`.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = fs::canonicalize(dir.path()).unwrap();
            for name in ["state", "socket", "run", "data", "conf", "other"] {
                fs::create_dir(root.join(name)).unwrap();
            }
            fs::write(root.join("conf/file"), "text").unwrap();
            fs::write(root.join("data/rows"), "rows").unwrap();
            let database = json!({"volumes": [
                {"type": "bind", "source": root.join("run"), "target": "/var/run/postgresql"},
                {"type": "bind", "source": root.join("data"), "target": "/var/lib/postgresql/data"},
                {"type": "volume", "source": "sockets", "target": "/tmp"}]});
            let directories = ["/run/postgresql".to_owned(), "/tmp/".to_owned()];
            let (state, socket) = (root.join("state"), root.join("socket"));
            let mounts =
                Mounts::new(&state, &binds(&database), at(&database, &directories), &socket).unwrap();
            Host { dir, mounts }
        }

        fn path(&self, name: &str) -> PathBuf {
            fs::canonicalize(self.dir.path()).unwrap().join(name)
        }

        fn bind(&self, source: &Path) -> (Option<Value>, String) {
            let volume = json!({"type": "bind", "source": source, "target": "/t"});
            let (given, note) = self.mounts.one(&volume).unwrap();
            (given, note.unwrap_or_default())
        }
    }

    #[test]
    fn a_directory_is_given_as_a_copy_to_be_read_and_a_file_as_it_is() {
        let host = Host::new();
        let (given, note) = host.bind(&host.path("conf"));
        let given = given.unwrap();
        let copy = PathBuf::from(given["source"].as_str().unwrap());
        assert!(copy.starts_with(host.path("state")) && note.is_empty(), "{copy:?} {note}");
        assert_eq!(fs::read_to_string(copy.join("file")).unwrap(), "text");
        assert_eq!(given["read_only"], true);
        let (given, _) = host.bind(&host.path("conf/file"));
        assert_eq!(given.unwrap()["source"], json!(host.path("conf/file")));
        assert_eq!(host.mounts.shown(), BTreeSet::from([copy, host.path("conf/file")]));
    }

    #[test]
    fn no_socket_is_given_by_any_directory_above_it() {
        let host = Host::new();
        let socket = host.path("other/s");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(host.bind(&socket).0, None);
        let (given, note) = host.bind(&host.path("other"));
        let copy = PathBuf::from(given.unwrap()["source"].as_str().unwrap());
        assert_eq!(fs::read_dir(copy).unwrap().count(), 0);
        assert!(note.contains("socket"), "{note}");
        for root in ["/", "/run", "/proc", "/dev/shm", "/sys/fs"] {
            let (given, note) = host.bind(Path::new(root));
            assert_eq!(given, Some(json!({"type": "volume", "target": "/t"})), "{root}");
            assert!(note.contains("host's own"), "{note}");
        }
        assert_eq!(host.bind(Path::new("/dev/null")).0, None);
        assert_eq!(host.bind(Path::new("/proc/version")).0, None);
    }

    #[test]
    fn where_the_database_has_its_socket_there_is_the_rehearsal_s_own() {
        let host = Host::new();
        let own =
            Some(json!({"type": "bind", "source": host.path("socket"), "target": "/t", "read_only": true,
            "bind": {"create_host_path": false}}));
        assert_eq!(host.bind(&host.path("run")).0, own);
        let volume = json!({"type": "volume", "source": "sockets", "target": "/t"});
        assert_eq!(host.mounts.one(&volume).unwrap().0, own);
        let volume = json!({"type": "volume", "source": "uploads", "target": "/t"});
        assert_eq!(host.mounts.one(&volume).unwrap().0, Some(json!({"type": "volume", "target": "/t"})));
    }

    #[test]
    fn a_directory_above_the_database_s_own_is_copied_without_those() {
        let host = Host::new();
        let _listener = UnixListener::bind(host.path("run/.s.PGSQL.5432")).unwrap();
        let (given, _) = host.bind(&host.path(""));
        let copy = PathBuf::from(given.unwrap()["source"].as_str().unwrap());
        let mut names: Vec<_> = fs::read_dir(copy).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["conf", "other", "socket"]);
        let (given, note) = host.bind(&host.path("data"));
        assert_eq!(given, Some(json!({"type": "volume", "target": "/t"})));
        assert!(note.contains("belongs to the database"), "{note}");
    }

    #[test]
    fn what_does_not_exist_is_empty_and_made_nowhere_and_a_link_is_what_it_leads_to() {
        let host = Host::new();
        assert_eq!(host.bind(&host.path("none")).0, Some(json!({"type": "volume", "target": "/t"})));
        assert!(!host.path("none").exists());
        std::os::unix::fs::symlink("/run", host.path("link")).unwrap();
        assert!(host.bind(&host.path("link")).1.contains("host's own"));
    }

    #[test]
    fn a_secret_that_is_a_socket_is_refused() {
        let host = Host::new();
        let _listener = UnixListener::bind(host.path("other/s")).unwrap();
        let model = json!({"secrets": {"good": {"file": host.path("conf/file"), "driver": "x"}, "bad": {"file": host.path("other/s")}}});
        let definitions = |name: &str| {
            host.mounts.definitions("secrets", &model, &BTreeSet::from([name.to_owned()]), Path::new("/"))
        };
        assert_eq!(
            Value::Object(definitions("good").unwrap()),
            json!({"good": {"file": host.path("conf/file")}})
        );
        let error = definitions("bad").unwrap_err();
        assert!(
            matches!(&error, MigrateError::NotIsolated(ways) if ways[0].contains("secrets.bad")),
            "{error}"
        );
    }
}
