//! PostgreSQL's own clients: from the database service's own image, beside the database, so that
//! they are of its version by construction and no bulk data goes through the docker daemon; for a
//! database outside the project, this host's.

use std::path::Path;

use tempfile::NamedTempFile;
use tg_core::Error as CoreError;
use tg_core::backup::output::{Output, Written};
use tg_core::backup::readable::Readable;
use tg_core::process::{self, Stream};
use tg_core::unhurried;

use crate::context::Context;
use crate::error::Error;
use crate::{host, sidecar};

const SERVER: &str = "SELECT pg_catalog.current_setting('server_version_num')::int, \
    pg_catalog.current_setting('is_superuser') = 'on'";
const PASSFILE_PREFIX: &str = ".tg-pgpass-";

/// Whether a client writes into the directory that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The error of a client that ended with this code and said this.
type Judge<'a> = &'a (dyn Fn(i64, &str) -> Error + Sync);

/// One run of a client.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// For messages, and part of the name of its container.
    pub name: &'a str,
    /// The program and its arguments, once it is known where the client sees the directory.
    pub command: &'a (dyn Fn(&str) -> Vec<String> + Sync),
    pub directory: &'a Path,
    pub access: Access,
    /// Whether it shall end before its time, asked several times a second.
    pub give_up: &'a (dyn Fn() -> bool + Sync),
    /// What its words mean when it fails; without, their end is told.
    pub judge: Option<Judge<'a>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        name: &'a str,
        directory: &'a Path,
        command: &'a (dyn Fn(&str) -> Vec<String> + Sync),
    ) -> Self {
        Call { name, command, directory, access: Access::Read, give_up: &|| false, judge: None }
    }

    pub(crate) fn unless(self, give_up: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Call { give_up, ..self }
    }

    /// Runs one that reads a backup, decrypted on its way where that is needed.
    pub(crate) fn reading(
        name: &'a str,
        files: &'a Readable,
        ctx: &Context,
        command: &'a (dyn Fn(&str) -> Vec<String> + Sync),
        judge: Judge<'a>,
    ) -> Result<(), Error> {
        let sealed = match files {
            Readable::Plain(path) => return Call::new(name, path, command).judged(judge).run(ctx),
            Readable::Sealed(sealed) => sealed,
        };
        if let Some(container) = &ctx.target.container {
            let call = Call::new(name, ctx.state.root(), command).judged(judge);
            let ended = sidecar::run_sealed(ctx, container, &call, sealed);
            ctx.session.check(&format!("running {name}"))?;
            return ended;
        }
        let nameless = sealed.nameless(ctx.state.root())?;
        Call::new(name, nameless.path(), command).judged(judge).run(ctx)
    }

    /// Runs one that writes files of a backup, and keeps the texts of these names. Where the files are encrypted, nothing
    /// else of them reaches the backup's directory, and the plaintext of a copy of so many bytes must have room elsewhere.
    pub(crate) fn write(
        self,
        ctx: &Context,
        output: &Output,
        size: i64,
        texts: &[&str],
    ) -> Result<Written, Error> {
        let call = Call { access: Access::Write, ..self };
        if !output.is_sealed() {
            call.run(ctx)?;
            return Ok(output.plain());
        }
        let written = match &ctx.target.container {
            Some(container) => sidecar::write_sealed(ctx, container, &call, output, (size, texts)),
            None => host::write_sealed(ctx, call, output, (size, texts)),
        };
        ctx.session.check(&format!("running {}", self.name))?;
        written
    }

    fn judged(self, judge: Judge<'a>) -> Self {
        Call { judge: Some(judge), ..self }
    }

    /// Whether it shall end before its time, whoever wants so.
    pub(crate) fn given_up(&self, ctx: &Context) -> bool {
        ctx.session.check("").is_err() || (self.give_up)()
    }

    /// Runs it to its end.
    fn run(&self, ctx: &Context) -> Result<(), Error> {
        let ended = match &ctx.target.container {
            Some(container) => sidecar::run(ctx, container, self),
            None => host::run(ctx, self),
        };
        // A client that was ended on purpose fails in any way; the purpose is the reason.
        ctx.session.check(&format!("running {}", self.name))?;
        ended
    }
}

/// The server that a client connects to, as far as it decides how.
pub(crate) struct Server {
    version_num: i32,
    superuser: bool,
}

impl Server {
    pub(crate) fn ask(ctx: &Context) -> Result<Self, Error> {
        let row = ctx.cluster()?.client.query_one(SERVER, &[])?;
        Ok(Server { version_num: row.get(0), superuser: row.get(1) })
    }

    pub(crate) fn major(&self) -> i32 {
        self.version_num / 10_000
    }

    /// What its connection says for all of them.
    pub(crate) fn options(&self) -> String {
        unhurried::options(self.version_num, self.superuser)
    }

    /// For a client, whose words are read.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&'static str, String)> {
        [("PGOPTIONS", self.options()), ("LC_ALL", "C".to_owned())].into_iter()
    }
}

/// What a client says on standard error: explained as it comes, and kept as the reason of its failure.
pub(crate) struct Complaints<'a> {
    ctx: &'a Context<'a>,
    call: &'a Call<'a>,
    text: String,
}

impl<'a> Complaints<'a> {
    pub(crate) fn of(ctx: &'a Context<'a>, call: &'a Call<'a>) -> Self {
        Complaints { ctx, call, text: String::new() }
    }

    pub(crate) fn hear(&mut self, stream: Stream, line: &str) {
        if stream == Stream::Stderr {
            self.ctx.session.emit.explain(line);
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// How it ended.
    pub(crate) fn conclude(self, code: i64) -> Result<(), Error> {
        match code {
            0 => Ok(()),
            code => Err(self.call.judge.map_or_else(
                || Error::Client { program: self.call.name.into(), code, problem: process::tail(&self.text) },
                |judge| judge(code, &self.text),
            )),
        }
    }
}

/// The password in a file that only we, and a sidecar as the same user, can read.
pub(crate) fn passfile(ctx: &Context) -> Result<NamedTempFile, CoreError> {
    let root = ctx.state.root();
    let write = || {
        // tempfile makes it with mode 0600.
        let mut file = tempfile::Builder::new().prefix(PASSFILE_PREFIX).tempfile_in(root)?;
        std::io::Write::write_all(&mut file, ctx.target.passfile_line().as_bytes())?;
        Ok(file)
    };
    write().map_err(|e| CoreError::file(root, &e))
}

/// Removes the password files that killed runs left; only the lock's holder may.
pub(crate) fn sweep(ctx: &Context) -> Result<(), Error> {
    let entries = std::fs::read_dir(ctx.state.root()).into_iter().flatten().flatten();
    for entry in entries.filter(|e| e.file_name().to_string_lossy().starts_with(PASSFILE_PREFIX)) {
        std::fs::remove_file(entry.path()).map_err(|e| CoreError::file(entry.path(), &e))?;
    }
    Ok(())
}
