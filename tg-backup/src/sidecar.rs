//! A client in a container of the database service's own image, in the network namespace of the
//! database, with the backup's directory mounted.

use std::io::Read;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use tg_core::backup::output::{Output, Written};
use tg_core::backup::sealed::Sealed;
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::job::Job;
use tg_core::process::{self, Stream};
use tg_core::throwaway::{FIND, ROOT};

use crate::clients::{Access, Call, Complaints, Server, passfile};
use crate::context::Context;
use crate::error::Error;
use crate::preflight::enough;

/// Where the backup's directory is inside.
const BACKUP: &str = "/backup";
const PASSFILE: &str = "/run/tg.pgpass";
/// Where the volume for plaintext is, and the directory in it.
const PLAIN: &str = "/plain";
const DIRECTORY: &str = "backup";
/// Makes the directory, which the client owns, and tells its room where it can be told.
const PREPARE: &str = r#"mkdir -m 700 "$1" && chown "$2" "$1" && { df -Pk "$1" 2>/dev/null || :; }"#;
/// How many files there are: an engine leaves out of an archive what it can't read.
const COUNT: &str =
    r#"cd "$1"; n=0; for file in * */*; do [ ! -f "$file" ] || n=$((n + 1)); done; echo "$n""#;
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

/// The same on a backup that has to be decrypted.
pub(crate) fn run_sealed(
    ctx: &Context,
    container: &Container,
    call: &Call,
    sealed: &Sealed,
) -> Result<(), Error> {
    let bring =
        |engine: &Engine, id: &str| Ok(sealed.bring(engine, id, (PLAIN, DIRECTORY), own(), ctx.session)?);
    tied(ctx, container, call, bring, |_, _| Ok(()))
}

/// The same for one that writes files of an encrypted backup, which come out of the container to be encrypted.
pub(crate) fn write_sealed(
    ctx: &Context,
    container: &Container,
    call: &Call,
    output: &Output,
    (size, texts): (i64, &[&str]),
) -> Result<Written, Error> {
    let directory = format!("{PLAIN}/{DIRECTORY}");
    let asked = |engine: &Engine, id: &str, script: &str| -> Result<String, Error> {
        let (user, group) = own();
        let owner = format!("{user}:{group}");
        match engine.exec(id, &["sh", "-ec", script, "sh", &directory, &owner])? {
            (0, text) => Ok(text),
            (code, text) => Err(Error::Client { program: "sh".into(), code, problem: process::tail(&text) }),
        }
    };
    let prepare = |engine: &Engine, id: &str| {
        let text = asked(engine, id, PREPARE)?;
        available(&text).map_or(Ok(()), |free| enough("the volume that the dump goes through", free, size))
    };
    let fetch = |engine: &Engine, id: &str| {
        let text = asked(engine, id, COUNT)?;
        let files = text
            .trim()
            .parse()
            .map_err(|_| Error::Incomplete(format!("its files can't be counted: {text}")))?;
        ctx.session.emit.explain(&format!("encrypting {files} files"));
        let read = |archive: &mut dyn Read| Ok(output.unpack(archive, (DIRECTORY, files), texts)?);
        engine.download(id, &directory, &|| call.given_up(ctx), read)
    };
    tied(ctx, container, call, prepare, fetch)
}

/// Runs a client to its end in a container that ends when we do, with a volume for plaintext that goes with it.
fn tied<T>(
    ctx: &Context,
    container: &Container,
    call: &Call,
    before: impl FnOnce(&Engine, &str) -> Result<(), Error>,
    after: impl FnOnce(&Engine, &str) -> Result<T, Error>,
) -> Result<T, Error> {
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
    let work = || -> Result<T, Error> {
        before(&engine, &id)?;
        let words = (call.command)(&format!("{PLAIN}/{DIRECTORY}"));
        ctx.session.emit.explain(&format!("running {} in container {}", words.join(" "), job.name));
        let words = found(server.major(), words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let user = format!("{user}:{group}");
        let ended = engine.exec_as(&id, Some(&user), &words, FOREVER, || call.given_up(ctx))?;
        ctx.session.check(&format!("running {}", call.name))?;
        let (code, text) = ended.unwrap_or((-1, String::new()));
        text.lines().for_each(|line| complaints.hear(Stream::Stderr, line));
        complaints.conclude(code)?;
        after(&engine, &id)
    };
    let done = work();
    // What it runs ends with it.
    let removed = engine.remove_own(&id);
    let done = done?;
    removed?;
    Ok(done)
}

/// What `df` says is available, bytes; nothing where it says something else.
fn available(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.lines().next_back()?.split_whitespace().collect();
    let blocks: u64 = words.get(words.len().checked_sub(3)?)?.parse().ok()?;
    blocks.checked_mul(1024)
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
        if call.given_up(ctx) {
            // What can't be removed now is swept by the next run.
            let _ = Engine::connect(&ctx.session.bounds()).and_then(|engine| engine.remove_own(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_of_a_volume_is_read_from_what_df_says() {
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        let line = |device: &str| format!("{head}{device} 100 60 40 60% /plain\n");
        assert_eq!(available(&line("/dev/sda1")), Some(40 << 10));
        assert_eq!(available(&line("a share")), Some(40 << 10));
        assert_eq!(available(""), None);
        assert_eq!(available("df: not found"), None);
    }
}
