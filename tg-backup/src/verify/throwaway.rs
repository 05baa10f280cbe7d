//! A server of the backup's own image that lives as long as a proof takes: no network, a volume of
//! its own, bounded, gone afterwards whatever happens.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::Client;
use tempfile::TempDir;
use tg_core::database::Target;
use tg_core::engine::Engine;
use tg_core::job::{Job, Limits};
use tg_core::{Error as CoreError, atomic_file};

use crate::answer::unsigned;
use crate::context::Context;
use crate::database::Database;
use crate::error::Error;
use crate::ours;
use crate::preflight::free_bytes;

const TOOL: &str = "tg-backup-verify";
/// Inside the container.
pub(crate) const HOME: &str = "/verify";
const SOCKET: &str = "/verify-socket";
pub(crate) const BACKUPS: &str = "/backups";
const SOCKET_PREFIX: &str = ".tg-verify-";
/// A socket's path may have 107 bytes; what follows the directory has 40.
const LONGEST_SOCKET_DIR: usize = 60;
/// Nothing runs for longer than this, even if nobody is left to end it.
const LIFETIME: Duration = Duration::from_hours(24);
/// Everybody else's processors come first: this weight is an eighth of theirs.
const CPU_SHARES: i64 = 128;
const PIDS: i64 = 512;
/// The server's own user in every image of PostgreSQL.
pub(crate) const SERVER_USER: &str = "postgres";
pub(crate) const ROOT: &str = "0:0";
/// A restored database is about as large as it was; its WAL comes on top.
const SPACE: u64 = 2;
/// Of cgroup v2 and v1.
const OOM_COUNTERS: [&str; 2] = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
/// Nothing here needs to survive a crash.
const SETTINGS: [&str; 12] = [
    "listen_addresses = ''",
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

pub(crate) struct Throwaway<'a> {
    ctx: &'a Context<'a>,
    engine: Engine,
    name: String,
    id: String,
    socket: TempDir,
    bootstrap_role: String,
}

/// What the container is made of.
pub(crate) struct Kind<'k> {
    /// Of the data that it must have room for.
    pub bytes: i64,
    pub bootstrap_role: &'k str,
    pub image: &'k str,
    /// Bytes.
    pub memory: u64,
    pub environment: Vec<String>,
    /// `ID:ro` of a container whose volumes it shall see.
    pub volumes_from: Vec<String>,
}

impl<'a> Throwaway<'a> {
    /// A container without a server yet.
    pub(crate) fn make(ctx: &'a Context<'a>, kind: &Kind) -> Result<Self, Error> {
        space(ctx, kind.bytes)?;
        let engine = Engine::connect()?;
        let name = format!("{TOOL}-{}", ctx.session.run);
        engine.create_volume(&name, &ours::labels(ctx, TOOL))?;
        let mut server = Throwaway {
            ctx,
            engine,
            id: String::new(),
            socket: socket(ctx.state.root())?,
            bootstrap_role: kind.bootstrap_role.to_owned(),
            name,
        };
        server.id = server.engine.begin(&server.job(kind))?;
        Ok(server)
    }

    fn job(&self, kind: &Kind) -> Job {
        Job {
            name: self.name.clone(),
            image: kind.image.to_owned(),
            environment: kind.environment.clone(),
            volumes_from: kind.volumes_from.clone(),
            command: vec!["sleep".into(), LIFETIME.as_secs().to_string()],
            mounts: vec![
                format!("{}:{HOME}", self.name),
                format!("{}:{SOCKET}", self.socket_dir().display()),
                format!("{}:{BACKUPS}:ro", self.ctx.store.root().display()),
            ],
            network: "none".into(),
            user: ROOT.into(),
            labels: ours::labels_of_run(self.ctx, TOOL),
            limits: Limits {
                memory: i64::try_from(kind.memory).ok(),
                cpu_shares: Some(CPU_SHARES),
                pids: Some(PIDS),
            },
        }
    }

    /// The volume belongs to the server from now on.
    pub(crate) fn give_home(&self) -> Result<(), Error> {
        self.must(ROOT, &["chown", SERVER_USER, HOME])
    }

    /// Makes an empty cluster like the one that was backed up, and starts it.
    pub(crate) fn initialize(&self, like: &Database) -> Result<(), Error> {
        self.give_home()?;
        let data = format!("{HOME}/data");
        let superuser = format!("--username={}", self.bootstrap_role);
        let words = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"];
        let initdb = [&["initdb", "-D", &data, &superuser][..], &words].concat();
        self.must(SERVER_USER, &initdb)?;
        let preload = format!("shared_preload_libraries = '{}'", like.preload_libraries.replace('\'', "''"));
        let settings = SETTINGS.iter().copied().chain([preload.as_str()]);
        let append = format!("printf '%s\\n' \"$@\" >>{data}/postgresql.conf");
        let script: Vec<&str> = ["sh", "-c", &append, "sh"].into_iter().chain(settings).collect();
        self.must(SERVER_USER, &script)?;
        let log = format!("{HOME}/log");
        let start = ["pg_ctl", "-D", &data, "-l", &log, "-w", "-s", "start"];
        self.must(SERVER_USER, &start).map_err(|error| self.with_log(error, &log))
    }

    fn with_log(&self, error: Error, log: &str) -> Error {
        let told = self.exec(ROOT, &["tail", "-n", "5", log]);
        match (error, told) {
            (Error::Throwaway { step, code, .. }, Ok((0, log))) => {
                Error::Throwaway { step, code, problem: tg_core::process::tail(&log) }
            }
            (error, _) => error,
        }
    }

    /// Runs a command inside to its end: its exit code, and what it said.
    pub(crate) fn exec(&self, user: &str, command: &[&str]) -> Result<(i64, String), Error> {
        let session = self.ctx.session;
        session.emit.explain(&format!("in the throwaway server: {}", command.join(" ")));
        let doing = || format!("running {}", command[0]);
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

    pub(crate) fn must(&self, user: &str, command: &[&str]) -> Result<(), Error> {
        match self.exec(user, command)? {
            (0, _) => Ok(()),
            (code, text) => Err(Error::Throwaway {
                step: command[0].into(),
                code,
                problem: tg_core::process::tail(&text),
            }),
        }
    }

    /// A connection as the superuser.
    pub(crate) fn connect(&self, database: &str) -> Result<Client, Error> {
        Ok(Target::socket(&self.socket_dir(), &self.bootstrap_role, database).connect(crate::TOOL, None)?)
    }

    /// What the clients inside need to connect.
    pub(crate) fn connection(&self) -> [String; 2] {
        [format!("--host={SOCKET}"), format!("--username={}", self.bootstrap_role)]
    }

    /// Hands a secret text to the server's user, as a file of this name below its home: it is in no
    /// command line and in no file that another user can read.
    pub(crate) fn hand_over(&self, name: &str, text: &str) -> Result<(), Error> {
        let here = self.socket_dir().join(name);
        atomic_file::write(&here, text.as_bytes())?;
        let (from, to) = (format!("{SOCKET}/{name}"), format!("{HOME}/{name}"));
        self.must(ROOT, &["install", "-o", SERVER_USER, "-m", "600", &from, &to])?;
        std::fs::remove_file(&here).map_err(|e| CoreError::file(&here, &e).into())
    }

    fn socket_dir(&self) -> PathBuf {
        self.socket.path().join("s")
    }
}

impl Drop for Throwaway<'_> {
    fn drop(&mut self) {
        // What can't be removed now is swept by the next proof.
        let _ = self.engine.remove_own(&self.name);
        let _ = self.engine.remove_volume(&self.name);
    }
}

/// Enough room where volumes are, as far as this host can see it.
fn space(ctx: &Context, bytes: i64) -> Result<(), Error> {
    let Some(root) = ctx.engine()?.root_directory()? else { return Ok(()) };
    let Ok(free) = free_bytes(Path::new(&root)) else { return Ok(()) };
    let needed = unsigned(bytes) * SPACE;
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

/// Removes what killed proofs left; only the holder of their lock may.
pub(crate) fn sweep(ctx: &Context) -> Result<(), Error> {
    ours::sweep(ctx, TOOL)?;
    for volume in ctx.engine()?.volumes_labelled(&ours::filters(ctx, TOOL))? {
        ctx.engine()?.remove_volume(&volume)?;
    }
    let entries = std::fs::read_dir(ctx.state.root()).into_iter().flatten().flatten();
    for entry in entries.filter(|e| e.file_name().to_string_lossy().starts_with(SOCKET_PREFIX)) {
        let _ = std::fs::remove_dir_all(entry.path());
    }
    Ok(())
}
