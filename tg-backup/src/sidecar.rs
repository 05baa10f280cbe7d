//! A client in a container of the database service's own image, in the network namespace of the
//! database, with the backup's directory mounted.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use tg_core::backup::sealed::Sealed;
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::job::Job;
use tg_core::process::Stream;
use tg_core::throwaway::{FIND, ROOT};

use crate::clients::{Access, Call, Complaints, Server, passfile};
use crate::context::Context;
use crate::error::Error;

/// Where the backup's directory is inside.
const BACKUP: &str = "/backup";
const PASSFILE: &str = "/run/tg.pgpass";
/// Where the volume is into which a backup is decrypted, and the directory in it.
const PLAIN: &str = "/plain";
const DIRECTORY: &str = "backup";
/// A client may take as long as it takes.
const FOREVER: Duration = Duration::from_hours(7 * 24);
/// How often a running client is asked whether it shall end.
const TICK: Duration = Duration::from_millis(200);

/// Finds the client where the image keeps it, and becomes it.
const RUN: &str = r#"directory=$(find_programs "$1" "$2") && PATH="$directory:$PATH" && export PATH
shift 2 && exec "$@""#;
/// What is looked for: it lies beside all others.
const CLIENT: &str = "pg_dump";

/// Runs a client to its end; it is ended when the user, the deadline or the caller wants so.
pub(crate) fn run(ctx: &Context, container: &Container, call: &Call) -> Result<(), Error> {
    let passfile = passfile(ctx)?;
    let mode = if call.access == Access::Read { ":ro" } else { "" };
    let server = Server::ask(ctx)?;
    let job = Job {
        command: found(server.major(), (call.command)(BACKUP)),
        mounts: vec![
            format!("{}:{BACKUP}{mode}", call.directory.display()),
            format!("{}:{PASSFILE}:ro", passfile.path().display()),
        ],
        ..job(ctx, container, call, &server)
    };
    ended(ctx, call, &job)
}

/// What is the same for each of them.
fn job(ctx: &Context, container: &Container, call: &Call, server: &Server) -> Job {
    let (user, group) = own();
    let mut environment = vec![format!("PGPASSFILE={PASSFILE}"), format!("PGAPPNAME={}", crate::TOOL)];
    environment.extend(server.environment().map(|(name, value)| format!("{name}={value}")));
    environment.extend(ctx.target.client_environment().iter().map(|(name, value)| format!("{name}={value}")));
    Job {
        name: format!("tg-backup-{}-{}", call.name, ctx.session.run),
        image: container.image_id.clone(),
        environment,
        network: format!("container:{}", container.id),
        user: format!("{user}:{group}"),
        labels: ctx.maker(crate::TOOL).labels_of_run(),
        ..Job::default()
    }
}

/// The same on a backup that has to be decrypted: in a container that ends when we do, and into a volume that goes with it.
pub(crate) fn run_sealed(
    ctx: &Context,
    container: &Container,
    call: &Call,
    sealed: &Sealed,
) -> Result<(), Error> {
    let passfile = passfile(ctx)?;
    let server = Server::ask(ctx)?;
    let (user, group) = own();
    let job = Job {
        command: Vec::new(),
        mounts: vec![format!("{}:{PASSFILE}:ro", passfile.path().display())],
        volumes: vec![PLAIN.into()],
        user: ROOT.into(),
        ..job(ctx, container, call, &server)
    };
    let engine = Engine::connect(&ctx.session.bounds())?;
    let (id, _lifeline) = engine.begin_tied(&job)?;
    let mut complaints = Complaints::of(ctx, call);
    let work = || -> Result<Option<(i64, String)>, Error> {
        sealed.bring(&engine, &id, (PLAIN, DIRECTORY), (user, group), ctx.session)?;
        let words = (call.command)(&format!("{PLAIN}/{DIRECTORY}"));
        ctx.session.emit.explain(&format!("running {} in container {}", words.join(" "), job.name));
        let words = found(server.major(), words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let given_up = || ctx.session.check("").is_err() || (call.give_up)();
        Ok(engine.exec_as(&id, Some(&format!("{user}:{group}")), &words, FOREVER, given_up)?)
    };
    let ended = work();
    // What it runs ends with it.
    let removed = engine.remove_own(&id);
    let Some((code, text)) = ended? else {
        ctx.session.check(&format!("running {}", call.name))?;
        return complaints.conclude(-1);
    };
    removed?;
    text.lines().for_each(|line| complaints.hear(Stream::Stderr, line));
    complaints.conclude(code)
}

fn own() -> (u32, u32) {
    (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
}

/// The command of a container in which the programs need not be in PATH.
fn found(major: i32, command: Vec<String>) -> Vec<String> {
    let script = format!("{FIND}{RUN}");
    let head = ["sh".into(), "-c".into(), script, "sh".into(), major.to_string(), CLIENT.into()];
    head.into_iter().chain(command).collect()
}

fn ended(ctx: &Context, call: &Call, job: &Job) -> Result<(), Error> {
    let emit = &ctx.session.emit;
    let command = (call.command)(BACKUP).join(" ");
    emit.explain(&format!("running {command} in a container of image {}", job.image));
    // A throwaway server may be in the making beside us, and the engine façade serves one thread.
    let engine = Engine::connect(&ctx.session.bounds())?;
    let mut complaints = Complaints::of(ctx, call);
    let code = std::thread::scope(|scope| {
        let (running, ended) = mpsc::channel::<()>();
        scope.spawn(move || guard(ctx, call, &job.name, &ended));
        let code = engine.run::<Error>(job, None, |stream, line| {
            complaints.hear(stream, line);
            Ok(())
        });
        drop(running);
        code
    });
    complaints.conclude(code?)
}

/// Removes the sidecar of this name when it shall end before its time; the wait for it then ends.
fn guard(ctx: &Context, call: &Call, name: &str, ended: &Receiver<()>) {
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
        if ctx.session.check("").is_err() || (call.give_up)() {
            // What can't be removed now is swept by the next run.
            let _ = Engine::connect(&ctx.session.bounds()).and_then(|engine| engine.remove_own(name));
        }
    }
}
