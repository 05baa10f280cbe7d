//! Copies of a whole server's files by pg_basebackup: faster than a dump by far, and back with
//! nothing to rebuild; but only on the same major version and kind of machine, and all or nothing.

pub(crate) mod chain;
pub(crate) mod prove;

use std::sync::atomic::{AtomicBool, Ordering};

use postgres::Client;
use serde_json::json;

use crate::cli::CreateOptions;
use crate::clients::Call;
use crate::context::Context;
use crate::database::Database;
use crate::error::Error;
use crate::facts::{self, Facts, Table};
use crate::preflight::space;
use crate::snapshot::Snapshot;
use crate::store::Partial;
use crate::taken::{Method, Physical, Taken};
use crate::tally::{Tally, joined};

/// Where the archives are in a backup.
pub(crate) const DATA: &str = "data";
/// What pg_basebackup writes of each file, and pg_verifybackup reads.
pub(crate) const BACKUP_MANIFEST: &str = "backup_manifest";
/// Compressed where the data is, so that the server's processors do the work once; since 15.
const SERVER_ZSTD: &str = "server-zstd:1";
const SERVER_ZSTD_SINCE: i32 = 150_000;
const CLIENT_GZIP: &str = "gzip:1";
const GZIP_NAMED_SINCE: i32 = 150_000;
const INCREMENTAL_SINCE: i32 = 170_000;
const SIZE: &str =
    "SELECT pg_catalog.sum(pg_catalog.pg_database_size(oid))::bigint FROM pg_catalog.pg_database";
const SUMMARIES: &str = "SELECT setting = 'on' FROM pg_catalog.pg_settings WHERE name = 'summarize_wal'";
/// The next transaction: as long as it stays the same, nobody has written anything in the server.
const NEXT: &str = "SELECT pg_catalog.pg_current_snapshot()::text";
const TABLESPACES: &str =
    "SELECT spcname::text FROM pg_catalog.pg_tablespace WHERE spcname !~ '^pg_' ORDER BY spcname";

/// Copies the server's files, and reads the tables of our database meanwhile.
pub(crate) fn run(
    ctx: &Context,
    partial: &Partial,
    database: &Database,
    options: &CreateOptions,
) -> Result<Taken, Error> {
    let mut client = ctx.target.connect(crate::TOOL, None)?;
    let server_bytes: i64 = client.query_one(SIZE, &[])?.get(0);
    space(ctx.store.root(), server_bytes)?;
    refuse_tablespaces(&mut client)?;
    let parent = options.incremental.then(|| parent(ctx, database, &mut client)).transpose()?;
    let compression =
        if database.server_version_num >= SERVER_ZSTD_SINCE { SERVER_ZSTD } else { CLIENT_GZIP };
    let intent = json!({"directory": partial.path, "compression": compression, "parent": parent});
    ctx.change("basebackup", "copy the server's files", intent, || {
        let mut snapshot = Snapshot::take(ctx, options.lock_wait)?;
        let (sequences, extensions) =
            (facts::sequences(&mut snapshot.client)?, facts::extensions(&mut snapshot.client)?);
        let roles = facts::roles(&mut snapshot.client)?;
        let copy = Copy { ctx, partial, parent: parent.as_deref(), compression, database };
        let (tables, large_objects) = copy.beside_reading(options, &snapshot)?;
        let still = client.query_one(NEXT, &[])?.get::<_, String>(0) == snapshot.at;
        let mut taken = Taken {
            method: Method::Basebackup,
            roles,
            snapshot: snapshot.at,
            since: snapshot.since,
            format: "tar",
            compression: compression.trim_start_matches("server-"),
            jobs: 1,
            physical: Some(Physical { parent, still, server_bytes }),
            ..Taken::default()
        };
        // What was written meanwhile is in the copy and was not read.
        if still {
            let tables = without_unlogged(ctx, tables)?;
            taken.facts = Facts { tables, sequences, extensions, large_objects };
        }
        let data = json!({"still": still, "tables": taken.facts.tables.len(), "rows": facts::rows(&taken.facts.tables)});
        Ok((taken, data))
    })
}

/// The rows of unlogged tables are in no copy of files: they are empty after a crash, too.
fn without_unlogged(ctx: &Context, mut tables: Vec<Table>) -> Result<Vec<Table>, Error> {
    for table in tables.iter_mut().filter(|t| t.unlogged) {
        (table.rows, table.hash) = (None, None);
        let msg = format!("{} is unlogged: its rows are not in the backup", table.plain());
        ctx.session.emit.warning("unlogged", &msg, json!({"object": table.plain()}))?;
    }
    Ok(tables)
}

/// Their directories would be those of the live server again.
fn refuse_tablespaces(client: &mut Client) -> Result<(), Error> {
    let names: Vec<String> = client.query(TABLESPACES, &[])?.iter().map(|r| r.get(0)).collect();
    if names.is_empty() { Ok(()) } else { Err(Error::Tablespaces(names)) }
}

/// The newest copy of this very server's files, which the new one completes.
fn parent(ctx: &Context, database: &Database, client: &mut Client) -> Result<String, Error> {
    if database.server_version_num < INCREMENTAL_SINCE {
        return Err(Error::NoIncremental("it came with PostgreSQL 17".into()));
    }
    if !client.query_opt(SUMMARIES, &[])?.is_some_and(|row| row.get(0)) {
        return Err(Error::NoIncremental(
            "the server keeps no summaries of its WAL: summarize_wal is off".into(),
        ));
    }
    if ctx.recipients.is_some() {
        return Err(Error::NoIncremental(
            "this host can't read the encrypted backups that it would complete".into(),
        ));
    }
    let ours = |m: &crate::manifest::Manifest| {
        m.method == Method::Basebackup && m.database.system == database.system && m.recipients.is_empty()
    };
    let entries = ctx.store.list();
    let newest = entries.into_iter().find(|entry| entry.manifest.as_ref().is_ok_and(|m| ours(m)));
    newest.map(|entry| entry.id).ok_or_else(|| {
        Error::NoIncremental("there is no backup of the whole server that it would complete".into())
    })
}

struct Copy<'a> {
    ctx: &'a Context<'a>,
    partial: &'a Partial,
    parent: Option<&'a str>,
    compression: &'a str,
    database: &'a Database,
}

impl Copy<'_> {
    fn beside_reading(
        &self,
        options: &CreateOptions,
        snapshot: &Snapshot,
    ) -> Result<(Vec<Table>, facts::LargeObjects), Error> {
        let ctx = self.ctx;
        let connect = || Ok(ctx.target.connect(crate::TOOL, None)?);
        let tally = Tally::new(&connect, Some(&snapshot.id), options.tables_hash, 1);
        let mut tables = snapshot.tables.clone();
        let failed = AtomicBool::new(false);
        let note = |_: &Error| failed.store(true, Ordering::Relaxed);
        let give_up = || failed.load(Ordering::Relaxed);
        let (copied, read) = std::thread::scope(|scope| {
            let reading = scope.spawn(|| tally.read(&mut tables).inspect_err(note));
            let copied = self.copy(&give_up);
            if copied.is_err()
                && let Ok(mut client) = connect()
            {
                tally.stop(&mut client);
            }
            (copied, joined(reading))
        });
        copied?;
        Ok((tables, read?))
    }

    fn copy(&self, give_up: &(dyn Fn() -> bool + Sync)) -> Result<(), Error> {
        let directory = self.ctx.store.root();
        let command = |at: &str| self.command(at);
        let name = "pg_basebackup";
        let ended = Call::new(name, directory, &command).writing().unless(give_up).run(self.ctx);
        ended.map_err(|error| match error {
            Error::Client { problem, .. }
                if problem.contains("pg_hba.conf") || problem.contains("replication") =>
            {
                Error::NoReplication { user: self.ctx.target.user.clone(), problem }
            }
            other => other,
        })
    }

    fn command(&self, at: &str) -> Vec<String> {
        let own = self.partial.path.file_name().unwrap_or_default().to_string_lossy();
        let mut words = vec![
            "pg_basebackup".into(),
            format!("--pgdata={at}/{own}/{DATA}"),
            "--format=tar".into(),
            "--wal-method=stream".into(),
            "--checkpoint=fast".into(),
            // Every file is made durable when it is hashed.
            "--no-sync".into(),
            format!("--label={own}"),
        ];
        words.push(if self.database.server_version_num >= GZIP_NAMED_SINCE {
            format!("--compress={}", self.compression)
        } else {
            "--compress=1".into()
        });
        words.extend(
            self.parent.map(|parent| format!("--incremental={at}/{parent}/{DATA}/{BACKUP_MANIFEST}")),
        );
        words
    }
}
