//! The rehearsal's own server: the backup restored once, and copied in a moment for each thing that is tried.

use std::path::{Path, PathBuf};

use tg_core::Error as CoreError;
use tg_core::backup::readable::Readable;
use tg_core::backup::{Database, Manifest};
use tg_core::database::Client;
use tg_core::database::{Target, ident};
use tg_core::network;
use tg_core::ours::Maker;
use tg_core::throwaway::{self, HOME, Kind, Network, ROOT, Throwaway};

use crate::context::Context;
use crate::error::MigrateError;
use crate::rehearse::trace::{self, LogLine};
use crate::rehearse::{MAKER, stage};

/// The backup as it came back.
pub(super) const PRISTINE: &str = "tg_pristine";
/// The same after the migration.
pub(super) const MIGRATED: &str = "tg_migrated";
const STATEMENTS: &str = "pg_stat_statements";
const HAS_STATEMENTS: &str = r#"test -e "$(pg_config --pkglibdir)/pg_stat_statements.so""#;
/// Every session and every error is logged, the latter with its SQLSTATE, one line of JSON each.
const SETTINGS: [&str; 9] = [
    "listen_addresses = '*'",
    "logging_collector = on",
    "log_destination = 'jsonlog'",
    "log_filename = 'server'",
    "log_rotation_age = 0",
    "log_rotation_size = 0",
    "log_connections = on",
    "log_min_messages = warning",
    "max_connections = 200",
];

pub(super) struct Arena<'a> {
    ctx: &'a Context<'a>,
    server: Throwaway<'a>,
    database: Database,
    /// The application's containers are on it, too.
    network: String,
    /// The image of the server, which has PostgreSQL's clients.
    pub image: String,
    /// Whether the server counts statements.
    pub counts: bool,
}

impl<'a> Arena<'a> {
    /// Makes the network and the server, restores the backup, and keeps it as it came.
    pub(super) fn open(
        ctx: &'a Context<'a>,
        maker: Maker<'a>,
        (store, files): (&'a Path, &Readable),
        manifest: &Manifest,
        image: &str,
        memory: Option<u64>,
    ) -> Result<Self, MigrateError> {
        let network = format!("{}-{}", maker.name, maker.session.run);
        ctx.engine.create_internal_network(&network, &maker.labels())?;
        let names = stage::database_names(ctx);
        let kind = Kind {
            major: manifest.database.major(),
            bytes: manifest.database.size_bytes.saturating_mul(3),
            bootstrap_role: &manifest.database.bootstrap_role,
            image,
            memory: memory.unwrap_or_else(throwaway::memory),
            environment: Vec::new(),
            network: Network::Of(&network, &names),
            volumes_from: Vec::new(),
        };
        let server = Throwaway::make(maker, store, &kind)?;
        let (counts, _) = server.exec(ROOT, &["sh", "-c", HAS_STATEMENTS])?;
        let mut like = manifest.database.clone();
        if counts == 0 && !like.preload_libraries.contains(STATEMENTS) {
            like.preload_libraries = [like.preload_libraries.as_str(), STATEMENTS]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(",");
        }
        let mark = format!("tg.rehearsal = '{}'", ctx.session.run);
        let settings: Vec<&str> = SETTINGS.into_iter().chain([mark.as_str()]).collect();
        server.initialize(&like, &settings)?;
        server.restore(&server.bring(files)?, manifest)?;
        let (database, image) = (manifest.database.clone(), image.to_owned());
        let arena = Arena { ctx, server, database, network, image, counts: counts == 0 };
        arena.prepare()?;
        Ok(arena)
    }

    fn prepare(&self) -> Result<(), MigrateError> {
        let mut client = self.server.connect(&self.database.name)?;
        client.batch_execute(trace::INSTALL)?;
        client.batch_execute("ANALYZE")?;
        drop(client);
        self.admin()?
            .batch_execute(&format!("ALTER DATABASE {} RENAME TO {PRISTINE}", ident(&self.database.name)))?;
        if self.counts {
            self.admin()?.batch_execute(&format!("CREATE EXTENSION IF NOT EXISTS {STATEMENTS}"))?;
        }
        Ok(())
    }

    /// A connection beside the database, as the superuser.
    pub(super) fn admin(&self) -> Result<Client, MigrateError> {
        Ok(self.server.beside(&self.database.name)?)
    }

    /// A connection to a kept database, as the superuser.
    pub(super) fn admin_of(&self, kept: &str) -> Result<Client, MigrateError> {
        Ok(self.server.connect(kept)?)
    }

    /// The database under its own name.
    pub(super) fn connect(&self) -> Result<Client, MigrateError> {
        Ok(self.server.connect(&self.database.name)?)
    }

    /// The network that it is on, as the engine has it now.
    pub(super) fn network(&self) -> Result<network::Network, MigrateError> {
        let found = self.ctx.engine.network(&self.network)?;
        found.ok_or_else(|| MigrateError::NotIsolated(vec![format!("network {} is gone", self.network)]))
    }

    /// What its server has as `tg.rehearsal`, and no other server has.
    pub(super) fn mark(&self) -> &str {
        &self.ctx.session.run
    }

    /// Where its socket is, on this host.
    pub(super) fn socket(&self) -> PathBuf {
        self.target().host.into()
    }

    pub(super) fn target(&self) -> Target {
        self.server.target(&self.database.name)
    }

    /// Puts a copy of a kept database in the place of the working one.
    pub(super) fn reset(&self, kept: &str) -> Result<(), MigrateError> {
        self.ctx.session.check("rehearsing")?;
        let name = ident(&self.database.name);
        let mut admin = self.admin()?;
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {kept} STRATEGY FILE_COPY"))?;
        // Settings and rights of a database are not copied with it.
        Ok(self.server.dress(&self.database)?)
    }

    /// Keeps the working database as it is now.
    pub(super) fn keep(&self, kept: &str) -> Result<(), MigrateError> {
        let name = ident(&self.database.name);
        self.end_sessions()?;
        let mut admin = self.admin()?;
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {kept}"))?;
        Ok(admin.batch_execute(&format!("CREATE DATABASE {kept} TEMPLATE {name} STRATEGY FILE_COPY"))?)
    }

    /// Ends the sessions of others in the working database, as a killed client's sessions end sooner or later.
    pub(super) fn end_sessions(&self) -> Result<(), MigrateError> {
        const END: &str = "SELECT pg_catalog.pg_terminate_backend(pid, 10000) FROM pg_catalog.pg_stat_activity \
            WHERE datname = $1 AND application_name <> pg_catalog.current_setting('application_name')";
        self.admin()?.query(END, &[&self.database.name])?;
        Ok(())
    }

    /// How long the log is now.
    pub(super) fn log_end(&self) -> Result<u64, MigrateError> {
        let text = self.log(&["stat", "-c", "%s", &log_file()])?;
        text.trim().parse().map_err(|_| unreadable(text.trim()))
    }

    /// What the server has said since.
    pub(super) fn log_since(&self, begin: u64) -> Result<Vec<LogLine>, MigrateError> {
        let from = format!("+{}", begin + 1);
        Ok(trace::lines(&self.log(&["tail", "-c", &from, &log_file()])?))
    }

    fn log(&self, command: &[&str]) -> Result<String, MigrateError> {
        match self.server.exec(ROOT, command)? {
            (0, text) => Ok(text),
            (_, text) => Err(unreadable(text.trim())),
        }
    }

    /// How many sessions others than we have begun in the working database.
    pub(super) fn sessions(&self, log: &[LogLine]) -> usize {
        log.iter().filter(|line| line.dbname == self.database.name && line.begins_session(MAKER)).count()
    }

    /// The role that the application connects as: whom the live database is reached by.
    pub(super) fn role(&self) -> &str {
        self.ctx.target.application_role()
    }
}

/// What can't be read is no empty log.
fn unreadable(problem: &str) -> MigrateError {
    CoreError::File { path: log_file().into(), problem: problem.into() }.into()
}

fn log_file() -> String {
    format!("{HOME}/data/log/server.json")
}

impl Drop for Arena<'_> {
    fn drop(&mut self) {
        // The server goes first, with what it is on; what can't be removed now is swept by the next command.
        self.server.remove();
        let _ = self.ctx.engine.remove_network(&self.network);
    }
}
