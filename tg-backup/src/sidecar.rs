//! A client in a container of the database service's own image, in the network namespace of the
//! database, with the backup's directory mounted.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::job::{Job, Limits};

use crate::clients::{Access, Call, Complaints, passfile};
use crate::context::Context;
use crate::error::Error;

/// Where the backup's directory is inside.
const BACKUP: &str = "/backup";
const PASSFILE: &str = "/run/tg.pgpass";
/// How often a running client is asked whether it shall end.
const TICK: Duration = Duration::from_millis(200);

/// Runs a client to its end; it is ended when the user, the deadline or the caller wants so.
pub(crate) fn run(ctx: &Context, container: &Container, call: &Call) -> Result<(), Error> {
    let passfile = passfile(ctx)?;
    let mode = if call.access == Access::Read { ":ro" } else { "" };
    let own = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let mut environment = vec![format!("PGPASSFILE={PASSFILE}"), format!("PGAPPNAME={}", crate::TOOL)];
    environment.extend(ctx.target.client_environment().iter().map(|(name, value)| format!("{name}={value}")));
    let job = Job {
        name: format!("tg-backup-{}-{}", call.name, ctx.session.run),
        image: container.image_id.clone(),
        command: (call.command)(BACKUP),
        environment,
        mounts: vec![
            format!("{}:{BACKUP}{mode}", call.directory.display()),
            format!("{}:{PASSFILE}:ro", passfile.path().display()),
        ],
        volumes_from: Vec::new(),
        aliases: Vec::new(),
        network: format!("container:{}", container.id),
        user: format!("{}:{}", own.0, own.1),
        limits: Limits::default(),
        labels: ctx.maker(crate::TOOL).labels_of_run(),
    };
    ended(ctx, call, &job)
}

fn ended(ctx: &Context, call: &Call, job: &Job) -> Result<(), Error> {
    let emit = &ctx.session.emit;
    emit.explain(&format!("running {} in a container of image {}", job.command.join(" "), job.image));
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
