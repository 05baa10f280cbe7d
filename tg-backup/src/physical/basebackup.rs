//! pg_basebackup: the server's files in one stream, and from PostgreSQL 17 on only what has changed.

use serde_json::json;
use tg_core::backup::crypt::Recipients;
use tg_core::backup::database::Database;
use tg_core::backup::manifest::Manifest;
use tg_core::backup::output::Output;
use tg_core::backup::{DATA, Method, Physical};
use tg_core::database::Client;

use crate::cli::CreateOptions;
use crate::clients::Call;
use crate::context::Context;
use crate::error::Error;
use crate::facts;
use crate::physical::{Copied, beside, refuse_tablespaces, server_bytes};
use crate::preflight::space;
use crate::taken::Taken;

/// What pg_basebackup writes of each file, and pg_verifybackup reads.
pub(crate) const BACKUP_MANIFEST: &str = "backup_manifest";
/// Compressed where the data is, so that no more goes through the connection than must.
const SERVER_ZSTD: &str = "server-zstd:1";
const SERVER_ZSTD_SINCE: i32 = 150_000;
const GZIP: &str = "gzip:1";
const INCREMENTAL_SINCE: i32 = 170_000;
const SUMMARIES: &str = "SELECT setting = 'on' FROM pg_catalog.pg_settings WHERE name = 'summarize_wal'";

/// Copies the server's files, and reads the tables of our database meanwhile.
pub(crate) fn run(
    ctx: &Context,
    output: &Output,
    database: &Database,
    options: &CreateOptions,
) -> Result<Taken, Error> {
    let mut client = ctx.target.connect(crate::TOOL, None)?;
    let server_bytes = server_bytes(&mut client)?;
    space(ctx.store.root(), server_bytes)?;
    refuse_tablespaces(&mut client)?;
    let parent = options.incremental.then(|| parent(ctx, database, &mut client)).transpose()?;
    let zstd = database.server_version_num >= SERVER_ZSTD_SINCE;
    let intent = json!({"directory": output.path(), "parent": parent});
    ctx.change("basebackup", "copy the server's files", intent, || {
        let taken = beside(ctx, options, |give_up| {
            let command = |at: &str| command(at, output, zstd, parent.as_deref());
            // The backup that it completes lies beside it.
            let directory = if parent.is_some() { ctx.store.root() } else { output.path() };
            let call = Call::new("pg_basebackup", directory, &command).unless(give_up);
            call.write(ctx, output, server_bytes, &[]).map_err(|error| refused(ctx, error))?;
            let compression = if zstd { SERVER_ZSTD.trim_start_matches("server-") } else { GZIP };
            let physical = Physical { parent: parent.clone(), server_bytes, ..Physical::default() };
            Ok(Copied { method: Method::Basebackup, format: "tar", compression, physical })
        })?;
        let data = json!({"tables": taken.facts.tables.len(), "rows": facts::rows(&taken.facts.tables)});
        Ok((taken, data))
    })
}

fn command(at: &str, output: &Output, zstd: bool, parent: Option<&str>) -> Vec<String> {
    let own = output.path().file_name().unwrap_or_default().to_string_lossy();
    let directory = if parent.is_some() { format!("{at}/{own}") } else { at.to_owned() };
    let mut words = vec![
        "pg_basebackup".into(),
        format!("--pgdata={directory}/{DATA}"),
        "--format=tar".into(),
        "--wal-method=stream".into(),
        "--checkpoint=fast".into(),
        // Every file is made durable when it is hashed.
        "--no-sync".into(),
        format!("--label={own}"),
        // Methods have names since 15; before, a number means gzip.
        if zstd { format!("--compress={SERVER_ZSTD}") } else { "--compress=1".into() },
    ];
    words.extend(parent.map(|parent| format!("--incremental={at}/{parent}/{DATA}/{BACKUP_MANIFEST}")));
    words
}

/// Who may not copy files is told what it takes.
fn refused(ctx: &Context, error: Error) -> Error {
    match error {
        Error::Client { problem, .. }
            if problem.contains("pg_hba.conf") || problem.contains("replication") =>
        {
            Error::NoReplication { user: ctx.target.user.clone(), problem }
        }
        other => other,
    }
}

/// The newest copy of this very server's files, which the new one completes.
fn parent(ctx: &Context, database: &Database, client: &mut Client) -> Result<String, Error> {
    let none = |why: &str| Err(Error::NoIncremental(why.into()));
    if database.server_version_num < INCREMENTAL_SINCE {
        return none("it came with PostgreSQL 17");
    }
    if !client.query_opt(SUMMARIES, &[])?.is_some_and(|row| row.get(0)) {
        return none("the server keeps no summaries of its WAL: summarize_wal is off");
    }
    if Recipients::of(&ctx.project)?.is_some() {
        return none("this host can't read the encrypted backups that it would complete");
    }
    let ours = |m: &Manifest| {
        m.method == Method::Basebackup && m.database.system == database.system && m.recipients.is_empty()
    };
    let entries = ctx.store.list();
    let newest = entries.into_iter().find(|entry| entry.manifest.as_ref().is_ok_and(|m| ours(m)));
    newest.map_or_else(|| none("there is no backup of the whole server that it would complete"), |e| Ok(e.id))
}
