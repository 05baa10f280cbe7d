//! A client of this host, for a database outside the project. It must be of the server's version or
//! newer; Debian keeps one directory of clients for each major version.

use std::path::{Path, PathBuf};
use std::process::Command;

use tg_core::Error as CoreError;
use tg_core::backup::guarded::Guarded;
use tg_core::backup::output::{Output, Written};

use crate::clients::{Call, Complaints, Server, passfile};
use crate::context::Context;
use crate::error::Error;
use crate::preflight::space;

const DEBIAN: &str = "/usr/lib/postgresql";

/// Runs a client to its end.
pub(crate) fn run(ctx: &Context, call: &Call) -> Result<(), Error> {
    run_group(ctx, call, &|_| ())
}

/// Runs one that writes files of an encrypted backup: into a directory that goes with us, from which they are encrypted.
pub(crate) fn write_sealed(
    ctx: &Context,
    call: Call,
    output: &Output,
    (size, texts): (i64, &[&str]),
) -> Result<Written, Error> {
    space(ctx.state.root(), size)?;
    let guarded = Guarded::new(ctx.state.root())?;
    // Where the guard is gone, the plaintext goes with the next run.
    let writer = |group| drop(guarded.writer(group));
    let ended = run_group(ctx, &Call { directory: guarded.path(), ..call }, &|group| writer(Some(group)));
    writer(None);
    ended?;
    let written = output.take(guarded.path(), texts, &|| call.given_up(ctx))?;
    guarded.close()?;
    Ok(written)
}

fn run_group(ctx: &Context, call: &Call, begun: &dyn Fn(u32)) -> Result<(), Error> {
    let words = (call.command)(&call.directory.display().to_string());
    let passfile = passfile(ctx)?;
    let server = Server::ask(ctx)?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env("PATH", path(server.major())).env("PGPASSFILE", passfile.path());
    command.env("PGAPPNAME", crate::TOOL).envs(server.environment()).envs(ctx.target.client_environment());
    let mut complaints = Complaints::of(ctx, call);
    let runner = ctx.session.runner();
    let status =
        runner.stream_group::<Error>(&mut command, &|| call.given_up(ctx), begun, |stream, line| {
            complaints.hear(stream, line);
            Ok(())
        })?;
    complaints.conclude(status.code().map_or(-1, i64::from))
}

/// Refuses clients that are older than the server, which pg_dump would refuse too, only later.
pub(crate) fn check(server: i32) -> Result<(), Error> {
    let mut command = Command::new("pg_dump");
    let output = command
        .arg("--version")
        .env("PATH", path(server))
        .output()
        .map_err(|e| CoreError::Program { program: "pg_dump".into(), problem: e.to_string() })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match major(&text) {
        Some(client) if client >= server => Ok(()),
        _ => Err(Error::OldClient { client: text.trim().to_owned(), server }),
    }
}

/// The programs of that very version first.
fn path(major: i32) -> PathBuf {
    let own = Path::new(DEBIAN).join(major.to_string()).join("bin");
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(own).chain(std::env::split_paths(&rest));
    std::env::join_paths(all).unwrap_or_default().into()
}

/// Of `pg_dump (PostgreSQL) 17.2 (Debian 17.2-1)`.
fn major(version: &str) -> Option<i32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_major_version_is_read_from_what_it_says() {
        assert_eq!(major("pg_dump (PostgreSQL) 17.2 (Debian 17.2-1.pgdg120+1)"), Some(17));
        assert_eq!(major("pg_dump (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("pg_dump: not found"), None);
    }

    #[test]
    fn the_programs_of_the_server_s_version_come_first() {
        let path = path(17);
        assert!(std::env::split_paths(&path).next().unwrap().ends_with("postgresql/17/bin"));
    }
}
