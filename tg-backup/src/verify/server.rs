//! The server that a proof restores into.

use std::path::{Path, PathBuf};

use tg_core::backup::Method;
use tg_core::backup::crypt::Identities;
use tg_core::backup::database::Database;
use tg_core::backup::manifest::Manifest;
use tg_core::backup::store::Entry;
use tg_core::lock;
use tg_core::ours::Turn;
use tg_core::throwaway::{self, Kind, Network, Throwaway};

use crate::context::Context;
use crate::error::Error;
use crate::fresh;
use crate::physical::pgbackrest::Stanza;
use crate::physical::{self, chain};
use crate::verify::prove::{self, Proof};

/// Beside the project's own lock: a proof changes nothing of the project, and may take long.
const LOCK: &str = "verify.lock";
/// Its container and volume are called so.
const MAKER: &str = "tg-backup-verify";

/// A throwaway server, and the right to be the only one that has one in this project.
pub(crate) struct Server<'a> {
    ctx: &'a Context<'a>,
    throwaway: Throwaway<'a>,
    _turn: Turn<'a>,
}

impl<'a> Server<'a> {
    pub(crate) fn start(
        ctx: &'a Context<'a>,
        like: &Database,
        method: Method,
        image: &str,
        memory: Option<u64>,
    ) -> Result<Self, Error> {
        let turn = turn(ctx)?;
        let mut kind = Kind {
            major: like.major(),
            bytes: like.size_bytes,
            bootstrap_role: &like.bootstrap_role,
            image,
            memory: memory.unwrap_or_else(throwaway::memory),
            environment: Vec::new(),
            network: Network::None,
            volumes_from: Vec::new(),
        };
        let mut configuration = String::new();
        if method == Method::Pgbackrest {
            let stanza = Stanza::find(ctx)?;
            // The repository is where the live server has it, and can't be written from here.
            kind.volumes_from.push(format!("{}:ro", stanza.container.id));
            (configuration, kind.environment) = stanza.configuration()?;
            // What is fetched ahead would be kept where the live server keeps it.
            kind.environment.push("PGBACKREST_ARCHIVE_ASYNC=n".into());
        }
        let throwaway = Throwaway::make(ctx.maker(MAKER), ctx.store.root(), &kind)?;
        match method {
            Method::Dump => throwaway.initialize(like, &["listen_addresses = ''"])?,
            Method::Basebackup => {}
            Method::Pgbackrest => {
                throwaway.give_home()?;
                throwaway.hand_over(physical::prove::CONFIGURATION, &configuration)?;
            }
        }
        Ok(Server { ctx, throwaway, _turn: turn })
    }

    /// Restores the backup here and compares what came with its manifest.
    pub(super) fn prove(
        &self,
        entry: &Entry,
        manifest: &Manifest,
        identities: Option<&Identities>,
    ) -> Result<Proof, Error> {
        let ctx = self.ctx;
        if manifest.method == Method::Pgbackrest {
            return physical::prove::repository(ctx, &self.throwaway, manifest);
        }
        let chain = chain::of(&ctx.store, entry, manifest)?;
        let mut files = Vec::new();
        for part in &chain {
            if part.id != entry.id
                && let Ok(below) = &part.manifest
            {
                fresh::check(ctx, part, below)?;
            }
            let files_of = ctx.readable(part, part.manifest.as_ref().map_or(manifest, |m| m), identities)?;
            files.push(self.throwaway.bring(&files_of)?);
        }
        let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        match (manifest.method, paths.as_slice()) {
            (Method::Dump, [path]) => prove::run(ctx, &self.throwaway, path, manifest),
            _ => physical::prove::run(ctx, &self.throwaway, &paths, manifest),
        }
    }
}

/// One proof at a time in a project; what a killed one left is swept first.
fn turn<'a>(ctx: &'a Context<'_>) -> Result<Turn<'a>, Error> {
    let lock = lock::acquire_named(&ctx.state, LOCK, crate::TOOL, &ctx.session.run, &mut |_| {
        ctx.session.check("waiting for a killed proof")?;
        std::thread::sleep(std::time::Duration::from_millis(100));
        Ok(())
    })?;
    Turn::begin(lock, || Ok(throwaway::sweep(&ctx.maker(MAKER), ctx.engine()?)?))
}
