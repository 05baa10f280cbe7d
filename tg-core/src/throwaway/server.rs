//! A server of the database's own image: a volume of its own, bounded, gone afterwards whatever happens.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::backup::readable::Readable;
use crate::backup::{Database, Error};
use crate::bytes::{free, unsigned};
use crate::database::{Client, Target};
use crate::engine::{Engine, conflict};
use crate::job::{Job, Limits};
use crate::lifeline::Lifeline;
use crate::ours::Maker;
use crate::state::State;
use crate::throwaway::configuration;
use crate::throwaway::programs::Programs;
use crate::{Error as CoreError, Session, atomic_file, host, process, unhurried};

/// Inside the container: what the server writes.
pub const HOME: &str = "/verify";
const SOCKET: &str = "/verify-socket";
const CLIENT_HOST: &str = "--host=/verify-socket";
/// What was decrypted is below the server's home, in a directory that begins so.
const PLAIN: &str = "plain-";
/// Inside the container: the directory of backups, which it can't write.
pub const BACKUPS: &str = "/backups";
const SOCKET_PREFIX: &str = ".tg-verify-";
/// A socket's path may have 107 bytes; what follows the directory has 40.
const LONGEST_SOCKET_DIR: usize = 60;
/// No command runs for longer than this.
const LIFETIME: Duration = Duration::from_hours(24);
/// Everybody else's processors come first: this weight is an eighth of theirs.
const CPU_SHARES: i64 = 128;
const PIDS: i64 = 512;
/// Who may read the backups, which are ours alone.
pub const ROOT: &str = "0:0";
/// A restored database is about as large as it was; its WAL comes on top.
const SPACE: u64 = 2;
/// Of cgroup v2 and v1.
const OOM_COUNTERS: [&str; 2] = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
/// Nothing here needs to survive a crash.
const SETTINGS: [&str; 11] = [
    "unix_socket_directories = '/verify-socket'",
    "fsync = off",
    "full_page_writes = off",
    "synchronous_commit = off",
    "wal_level = minimal",
    "max_wal_senders = 0",
    "max_wal_size = 1GB",
    "autovacuum = off",
    "shared_buffers = 128MB",
    "maintenance_work_mem = 128MB",
    "max_locks_per_transaction = 1024",
];

/// A server, or the container of one that is still to come.
pub struct Throwaway<'a> {
    maker: Maker<'a>,
    backups: &'a Path,
    engine: Engine,
    name: String,
    id: String,
    /// With it the container ends, also where nobody is left to end it.
    lifeline: Option<Lifeline>,
    socket: TempDir,
    bootstrap_role: String,
    major: i32,
    programs: Programs,
}

/// What the container is made of.
pub struct Kind<'k> {
    /// PostgreSQL's, whose programs are looked for in the image.
    pub major: i32,
    /// Of the data that it must have room for.
    pub bytes: i64,
    /// The role that initdb makes.
    pub bootstrap_role: &'k str,
    /// Identifier or reference.
    pub image: &'k str,
    /// Bytes.
    pub memory: u64,
    /// `NAME=value` for its processes.
    pub environment: Vec<String>,
    /// Who can reach it.
    pub network: Network<'k>,
    /// `ID:ro` of a container whose volumes it shall see.
    pub volumes_from: Vec<String>,
}

/// Who can reach a throwaway server beside us.
#[derive(Clone, Copy, Debug, Default)]
pub enum Network<'k> {
    /// Nobody.
    #[default]
    None,
    /// The containers of a network, under each of these names.
    Of(&'k str, &'k [String]),
}

impl<'a> Throwaway<'a> {
    /// A container without a server yet.
    pub fn make(maker: Maker<'a>, backups: &'a Path, kind: &Kind) -> Result<Self, Error> {
        let engine = Engine::connect(&maker.session.bounds())?;
        space(&engine, kind.bytes)?;
        let name = format!("{}-{}", maker.name, maker.session.run);
        let mut server = Throwaway {
            maker,
            backups,
            engine,
            id: String::new(),
            lifeline: None,
            socket: socket(maker.state.root())?,
            bootstrap_role: kind.bootstrap_role.to_owned(),
            major: kind.major,
            programs: Programs::default(),
            name,
        };
        let (id, lifeline) = server.engine.begin_tied(&server.job(kind))?;
        (server.id, server.lifeline) = (id, Some(lifeline));
        let shell = |script: &str| server.run(ROOT, "sh", &["sh", "-c", script]);
        server.programs = Programs::find(kind.image, kind.major, shell)?;
        Ok(server)
    }

    fn job(&self, kind: &Kind) -> Job {
        Job {
            name: self.name.clone(),
            image: kind.image.to_owned(),
            environment: kind.environment.clone(),
            volumes_from: kind.volumes_from.clone(),
            volumes: vec![HOME.into()],
            mounts: vec![
                format!("{}:{SOCKET}", self.socket_dir().display()),
                format!("{}:{BACKUPS}:ro", self.backups.display()),
            ],
            network: match kind.network {
                Network::None => "none".into(),
                Network::Of(name, _) => name.into(),
            },
            aliases: match kind.network {
                Network::None => Vec::new(),
                Network::Of(_, aliases) => aliases.to_vec(),
            },
            user: ROOT.into(),
            labels: self.maker.labels_of_run(),
            limits: Limits {
                memory: i64::try_from(kind.memory).ok(),
                cpu_shares: Some(CPU_SHARES),
                pids: Some(PIDS),
            },
            ..Job::default()
        }
    }

    /// Who runs the server inside.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.programs.user
    }

    /// The volume belongs to the server from now on.
    pub fn give_home(&self) -> Result<(), Error> {
        self.must(ROOT, &["chown", self.user(), HOME])
    }

    /// Makes an empty cluster like the one that was backed up, and starts it with these settings of
    /// `postgresql.conf` beside our own. Who can reach it is let in as whoever he says he is.
    pub fn initialize(&self, like: &Database, settings: &[&str]) -> Result<(), Error> {
        self.give_home()?;
        let data = format!("{HOME}/data");
        let superuser = format!("--username={}", self.bootstrap_role);
        let words = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"];
        let initdb = [&["initdb", "-D", &data, &superuser][..], &words].concat();
        self.must(self.user(), &initdb)?;
        let own = configuration::of(like);
        let settings = own.iter().map(String::as_str).chain(SETTINGS).chain(settings.iter().copied());
        let append = format!(
            "printf '%s\\n' \"$@\" >>{data}/postgresql.conf; echo 'host all all all trust' >>{data}/pg_hba.conf"
        );
        let script: Vec<&str> = ["sh", "-c", &append, "sh"].into_iter().chain(settings).collect();
        self.must(self.user(), &script)?;
        let log = format!("{HOME}/log");
        let start = ["pg_ctl", "-D", &data, "-l", &log, "-w", "-s", "start"];
        self.must(self.user(), &start).map_err(|error| self.with_log(error, &log))
    }

    fn with_log(&self, error: Error, log: &str) -> Error {
        let told = self.exec(ROOT, &["tail", "-n", "5", log]);
        match (error, told) {
            (Error::Throwaway { step, code, .. }, Ok((0, log))) => {
                Error::Throwaway { step, code, problem: process::tail(&log) }
            }
            (error, _) => error,
        }
    }

    /// Runs a command inside to its end, one of PostgreSQL's or another: its exit code, and what it said.
    pub fn exec(&self, user: &str, command: &[&str]) -> Result<(i64, String), Error> {
        self.maker.session.emit.explain(&format!("in the throwaway server: {}", command.join(" ")));
        self.run(user, command[0], &self.programs.command(command))
    }

    /// Runs a client of PostgreSQL's that connects to the server here. Neither limits nor event triggers of what was
    /// restored get in its way, and its words are English.
    pub fn client(&self, user: &str, program: &str, arguments: &[&str]) -> Result<(i64, String), Error> {
        let options = format!("PGOPTIONS={}", unhurried::options(self.major * 10_000, true));
        let role = format!("--username={}", self.bootstrap_role);
        let head = ["env", "LC_ALL=C", &options, program, CLIENT_HOST, &role];
        self.exec(user, &[&head[..], arguments].concat())
    }

    fn run(&self, user: &str, name: &str, command: &[&str]) -> Result<(i64, String), Error> {
        let session = self.maker.session;
        let doing = || format!("running {name}");
        session.check(&doing())?;
        let ended =
            self.engine.exec_as(&self.id, Some(user), command, LIFETIME, || session.check("").is_err())?;
        session.check(&doing())?;
        let told = ended.ok_or_else(|| session.deadline.error(&doing()))?;
        if told.0 != 0 && self.ran_out_of_memory() {
            return Err(Error::OutOfMemory);
        }
        Ok(told)
    }

    /// Whether the kernel has killed a process of it: the engine tells so of the first one only.
    fn ran_out_of_memory(&self) -> bool {
        let ask = [&["cat"][..], &OOM_COUNTERS].concat();
        let told = self.engine.exec(&self.id, &ask).map(|(_, text)| text).unwrap_or_default();
        let kills =
            told.lines().filter_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok());
        kills.sum::<u64>() > 0
    }

    /// The same, which must succeed.
    pub fn must(&self, user: &str, command: &[&str]) -> Result<(), Error> {
        match self.exec(user, command)? {
            (0, _) => Ok(()),
            (code, text) => {
                Err(Error::Throwaway { step: command[0].into(), code, problem: process::tail(&text) })
            }
        }
    }

    /// Brings the files of a backup in, where they have to be decrypted: into the server's own volume, which goes with us.
    /// Where they are, as [`Self::restore`] takes it.
    pub fn bring(&self, files: &Readable) -> Result<PathBuf, Error> {
        let sealed = match files {
            Readable::Plain(path) => return Ok(path.clone()),
            Readable::Sealed(sealed) => sealed,
        };
        let session = self.maker.session;
        enough_room(&self.engine, sealed.bytes()?)?;
        let name = format!("{PLAIN}{}", ulid::Ulid::generate().to_string().to_lowercase());
        sealed.bring(&self.engine, &self.id, (HOME, &name), (0, 0), session)?;
        Ok(Path::new(HOME).join(name))
    }

    /// A backup's files as the server's container sees them.
    #[must_use]
    pub fn place(&self, files: &Path) -> String {
        let name = files.file_name().unwrap_or_default().to_string_lossy();
        if files.starts_with(HOME) { files.display().to_string() } else { format!("{BACKUPS}/{name}") }
    }

    /// A connection to a database that is not this one, for what is done to databases from outside.
    pub fn beside(&self, database: &str) -> Result<Client, Error> {
        self.connect(maintenance(database))
    }

    /// A connection as the superuser.
    pub fn connect(&self, database: &str) -> Result<Client, Error> {
        Ok(self.target(database).connect(self.maker.name, None)?)
    }

    /// Where it is, as the superuser.
    #[must_use]
    pub fn target(&self, database: &str) -> Target {
        Target::socket(&self.socket_dir(), &self.bootstrap_role, database, self.maker.session.bounds())
    }

    /// Of this run.
    #[must_use]
    pub fn session(&self) -> &Session {
        self.maker.session
    }

    /// Hands a secret text to the server's user, as a file of this name below its home: it is in no
    /// command line and in no file that another user can read.
    pub fn hand_over(&self, name: &str, text: &str) -> Result<(), Error> {
        let here = self.socket_dir().join(name);
        atomic_file::write(&here, text.as_bytes())?;
        let (from, to) = (format!("{SOCKET}/{name}"), format!("{HOME}/{name}"));
        self.must(ROOT, &["install", "-o", self.user(), "-m", "600", &from, &to])?;
        std::fs::remove_file(&here).map_err(|e| CoreError::file(&here, &e).into())
    }

    fn socket_dir(&self) -> PathBuf {
        self.socket.path().join("s")
    }
}

impl Throwaway<'_> {
    /// Removes it before its time. What can't be removed now is swept by the next one.
    pub fn remove(&self) {
        let _ = self.engine.remove_own(&self.name);
    }
}

impl Drop for Throwaway<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A database that every new server has and that is not this one.
pub(super) fn maintenance(database: &str) -> &'static str {
    if database == "template1" { "postgres" } else { "template1" }
}

/// Bytes for a server where nobody says how many: half of what this host has left, but no more than a
/// comfortable 2 GiB.
#[must_use]
pub fn memory() -> u64 {
    const COMFORTABLE: u64 = 2 << 30;
    host::memory_available().map_or(COMFORTABLE, |memory| memory / 2).min(COMFORTABLE)
}

/// Enough room where volumes are, as far as this host can see it.
fn space(engine: &Engine, bytes: i64) -> Result<(), Error> {
    enough_room(engine, unsigned(bytes).saturating_mul(SPACE))
}

/// The same for so many bytes.
fn enough_room(engine: &Engine, needed: u64) -> Result<(), Error> {
    let Some(root) = engine.root_directory()? else { return Ok(()) };
    let Ok(free) = free(Path::new(&root)) else { return Ok(()) };
    if free < needed { Err(Error::NoSpace { directory: root, free, needed }) } else { Ok(()) }
}

/// A directory that only we can enter, and in it one in which the server, as another user, may make
/// its socket.
fn socket(state: &Path) -> Result<TempDir, CoreError> {
    let temporary = std::env::temp_dir();
    let root = if state.as_os_str().len() > LONGEST_SOCKET_DIR { &temporary } else { state };
    let make = || {
        let outer = tempfile::Builder::new().prefix(SOCKET_PREFIX).tempdir_in(root)?;
        let inner = outer.path().join("s");
        std::fs::create_dir(&inner)?;
        std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o777))?;
        Ok(outer)
    };
    make().map_err(|e| CoreError::file(root, &e))
}

/// Removes what killed runs left; only the holder of their lock may.
pub fn sweep(maker: &Maker, engine: &Engine) -> Result<(), Error> {
    maker.sweep(engine)?;
    for volume in engine.volumes_labelled(&maker.filters())? {
        match engine.remove_volume(&volume) {
            // The engine is still making the container that uses it.
            Err(CoreError::Engine(busy)) if conflict(&busy) => {
                maker.session.emit.explain(&format!("volume {volume} stays for now: {busy}"));
            }
            other => other?,
        }
    }
    for network in engine.networks_labelled(&maker.filters())? {
        engine.remove_network(&network)?;
    }
    sweep_sockets(maker.state);
    Ok(())
}

fn sweep_sockets(state: &State) {
    let entries = std::fs::read_dir(state.root()).into_iter().flatten().flatten();
    for entry in entries.filter(|e| e.file_name().to_string_lossy().starts_with(SOCKET_PREFIX)) {
        let _ = std::fs::remove_dir_all(entry.path());
    }
}
