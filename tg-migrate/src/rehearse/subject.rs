//! What is rehearsed: from which release to which, on which backup, and what the live database is asked.

use tg_core::backup::{Entry, Manifest, Method, Store};

use crate::catalog::Catalog;
use crate::cli::RehearseOptions;
use crate::context::Context;
use crate::error::MigrateError;
use crate::rehearse::statements::{self, Statements};

/// The database that every server has.
const MAINTENANCE: &str = "postgres";

const SOCKETS: &str = "SELECT pg_catalog.current_setting('unix_socket_directories', true)";
const USUAL_SOCKETS: &str = "/var/run/postgresql, /tmp";

/// What is asked of the live database, and nothing else: its schema, and what it was asked.
pub(super) struct Live {
    pub schema: String,
    pub statements: Statements,
    /// Where its server has its sockets, as the server sees it.
    pub sockets: Vec<String>,
}

pub(super) fn live(ctx: &Context) -> Result<Live, MigrateError> {
    let mut client = ctx.connect()?;
    let schema = Catalog::read(&mut client)?.hash();
    let mut statements = statements::collect(&mut client, ctx.target.application_role(), &ctx.target.name)?;
    if statements.is_empty()
        && let Ok(mut beside) = ctx.target.connect(crate::TOOL, Some(MAINTENANCE))
    {
        // The statistics of all databases are kept together, and may be shown in another one.
        statements = statements::collect(&mut beside, ctx.target.application_role(), &ctx.target.name)?;
    }
    // Only a role that may read all settings is told; for others the places of every usual image.
    let told = client.query_one(SOCKETS, &[]).map(|row| row.get::<_, Option<String>>(0)).ok().flatten();
    let sockets = told.as_deref().unwrap_or(USUAL_SOCKETS).split(',').map(|path| path.trim().to_owned());
    Ok(Live { schema, statements, sockets: sockets.collect() })
}

/// The schema of the live database as it is now.
pub(super) fn schema(ctx: &Context) -> Result<String, MigrateError> {
    Ok(Catalog::read(&mut ctx.connect()?)?.hash())
}

/// The release that runs.
pub(super) fn running(ctx: &Context) -> Result<String, MigrateError> {
    let service = ctx.project.api.first().cloned().unwrap_or_default();
    let running = ctx.engine.running(&ctx.project.name, &service)?;
    match running.into_iter().next() {
        Some(container) => Ok(tg_core::image::Reference::parse(&container.image).tag.unwrap_or_default()),
        None => written(ctx),
    }
}

/// The release in the project's files.
pub(crate) fn written(ctx: &Context) -> Result<String, MigrateError> {
    let image = ctx.project.image(&ctx.project.migrate)?;
    Ok(tg_core::image::Reference::parse(&image).tag.unwrap_or_default())
}

/// The backup that is named, else the newest proven dump of the database.
pub(super) fn backup(
    ctx: &Context,
    store: &Store,
    options: &RehearseOptions,
) -> Result<(Entry, Manifest), MigrateError> {
    let fits = |entry: &Entry| {
        let manifest = entry.manifest.as_ref().ok().filter(|m| m.method == Method::Dump)?;
        let meant = match &options.backup {
            Some(id) => entry.id == *id,
            None => manifest.database.name == ctx.target.name && (options.unverified || proven(entry)),
        };
        meant.then(|| manifest.as_ref().clone())
    };
    let found = store.list().into_iter().find_map(|entry| fits(&entry).map(|manifest| (entry, manifest)));
    found.ok_or_else(|| MigrateError::NothingToRehearse {
        database: ctx.target.name.clone(),
        directory: store.root().display().to_string(),
    })
}

fn proven(entry: &Entry) -> bool {
    entry.verification().is_some_and(|proof| proof.is_good())
}
