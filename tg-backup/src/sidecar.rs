//! PostgreSQL's own clients, run from the database service's own image beside the database: the
//! same version by construction, and no bulk data goes through the docker daemon.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use tempfile::NamedTempFile;
use tg_core::Error as CoreError;
use tg_core::container::RUN_LABEL;
use tg_core::engine::Engine;
use tg_core::job::Job;
use tg_core::process::{self, Stream};

use crate::context::Context;
use crate::error::Error;

/// Where the backup's directory is inside a sidecar.
pub(crate) const BACKUP: &str = "/backup";
const PASSFILE: &str = "/run/tg.pgpass";
const PASSFILE_PREFIX: &str = ".tg-pgpass-";
const TOOL_LABEL: &str = "tg.tool";
/// The lock belongs to a state directory, and so does the right to remove another run's sidecar.
const STATE_LABEL: &str = "tg.state";
/// How often a running client is asked whether it shall end.
const TICK: Duration = Duration::from_millis(200);

/// One client program.
pub(crate) struct Sidecar<'a> {
    ctx: &'a Context<'a>,
    /// `host:container[:ro]` of the backup's directory.
    mount: String,
}

impl<'a> Sidecar<'a> {
    /// For clients that write into this directory.
    pub(crate) fn writing(ctx: &'a Context, directory: &Path) -> Self {
        Sidecar { ctx, mount: format!("{}:{BACKUP}", directory.display()) }
    }

    /// For clients that only read from it.
    pub(crate) fn reading(ctx: &'a Context, directory: &Path) -> Self {
        Sidecar { ctx, mount: format!("{}:{BACKUP}:ro", directory.display()) }
    }

    /// Runs a client to its end; it is ended when the user or the deadline wants so.
    pub(crate) fn run(&self, program: &str, arguments: &[String]) -> Result<(), Error> {
        let passfile = passfile(self.ctx)?;
        let job = self.job(program, arguments, passfile.path())?;
        let session = self.ctx.session;
        session.emit.explain(&format!(
            "running {} in a container of image {}",
            job.command.join(" "),
            job.image
        ));
        let mut errors = String::new();
        let ended = std::thread::scope(|scope| {
            let (running, ended) = mpsc::channel::<()>();
            let (ctx, name) = (self.ctx, &job.name);
            scope.spawn(move || guard(ctx, name, &ended));
            let code = self.ctx.engine.run::<Error>(&job, None, |stream, line| {
                if stream == Stream::Stderr {
                    session.emit.explain(line);
                    errors.push_str(line);
                    errors.push('\n');
                }
                Ok(())
            });
            drop(running);
            code
        });
        // A client that was ended on purpose fails in any way; the purpose is the reason.
        session.check(&format!("running {program}"))?;
        match ended? {
            0 => Ok(()),
            code => Err(Error::Client { program: program.into(), code, problem: process::tail(&errors) }),
        }
    }

    fn job(&self, program: &str, arguments: &[String], passfile: &Path) -> Result<Job, Error> {
        let ctx = self.ctx;
        let container = ctx.container()?;
        let connection = ["--host=127.0.0.1", &format!("--username={}", ctx.target.user), "--no-password"];
        let words = std::iter::once(program).chain(connection).map(str::to_owned);
        let own = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        Ok(Job {
            name: format!("tg-backup-{program}-{}", ctx.session.run),
            image: container.image_id.clone(),
            command: words.chain(arguments.iter().cloned()).collect(),
            environment: vec![format!("PGPASSFILE={PASSFILE}"), format!("PGAPPNAME={}", crate::TOOL)],
            mounts: vec![self.mount.clone(), format!("{}:{PASSFILE}:ro", passfile.display())],
            network: format!("container:{}", container.id),
            user: format!("{}:{}", own.0, own.1),
            labels: labels(ctx).into_iter().chain([(RUN_LABEL.into(), ctx.session.run.clone())]).collect(),
        })
    }
}

fn labels(ctx: &Context) -> HashMap<String, String> {
    HashMap::from([
        (TOOL_LABEL.to_owned(), crate::TOOL.to_owned()),
        (STATE_LABEL.to_owned(), ctx.state.root().display().to_string()),
    ])
}

/// The password in a file that only we, and the sidecar as the same user, can read.
fn passfile(ctx: &Context) -> Result<NamedTempFile, CoreError> {
    let root = ctx.state.root();
    let write = || {
        // tempfile makes it with mode 0600.
        let mut file = tempfile::Builder::new().prefix(PASSFILE_PREFIX).tempfile_in(root)?;
        std::io::Write::write_all(&mut file, ctx.target.passfile_line().as_bytes())?;
        Ok(file)
    };
    write().map_err(|e| CoreError::file(root, &e))
}

/// Removes the sidecar of this name when it shall end before its time; the wait for it then ends.
/// It asks over a connection of its own, since the engine façade serves one thread.
fn guard(ctx: &Context, name: &str, ended: &Receiver<()>) {
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
        if ctx.session.check("").is_err() {
            // What can't be removed now is swept by the next run.
            let _ = Engine::connect().and_then(|engine| engine.remove_own(name));
        }
    }
}

/// Removes the sidecars and password files that killed runs left; only the lock's holder may.
pub(crate) fn sweep(ctx: &Context) -> Result<(), Error> {
    let labels: Vec<String> = labels(ctx).iter().map(|(name, value)| format!("{name}={value}")).collect();
    for left in ctx.engine.labelled(&labels)? {
        ctx.session.emit.explain(&format!("removing container {} of a killed run", left.name));
        ctx.engine.remove_own(&left.id)?;
    }
    let entries = std::fs::read_dir(ctx.state.root()).into_iter().flatten().flatten();
    for entry in entries.filter(|e| e.file_name().to_string_lossy().starts_with(PASSFILE_PREFIX)) {
        std::fs::remove_file(entry.path()).map_err(|e| CoreError::file(entry.path(), &e))?;
    }
    Ok(())
}
