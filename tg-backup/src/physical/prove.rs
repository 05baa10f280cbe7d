//! Proves a copy of a server's files: unpacked, combined, checked file by file, started, and read.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tg_core::backup::DATA;
use tg_core::backup::Depth;
use tg_core::backup::Error as BackupError;
use tg_core::backup::manifest::Manifest;
use tg_core::clock::milliseconds;
use tg_core::deadline::Deadline;
use tg_core::process;
use tg_core::throwaway::{HOME, ROOT, Throwaway};

use crate::compare::difference;
use crate::computed;
use crate::context::Context;
use crate::error::Error;
use crate::fresh;
use crate::physical::basebackup::BACKUP_MANIFEST;
use crate::physical::room;
use crate::verify::Proof;

/// Unpacks one backup: PostgreSQL's own files, its WAL, and the list of both.
const UNPACK: &str = r#"
set -e
from=$1 to=$2
mkdir -p "$to/pg_wal"
unpack() { case $1 in *.zst) zstd -dqc "$1" ;; *.gz) gzip -dc "$1" ;; *) cat "$1" ;; esac | tar -x -C "$2"; }
for file in "$from"/base.tar*; do unpack "$file" "$to"; done
for file in "$from"/pg_wal.tar*; do unpack "$file" "$to/pg_wal"; done
cp "$from/backup_manifest" "$to/"
chmod 700 "$to"
"#;
/// Nothing of the live server's configuration may lead out of the container, or fail for want of it.
const OVERRIDES: &str = "-c listen_addresses='' -c unix_socket_directories=/verify-socket -c hba_file=/verify/hba.conf \
    -c ident_file=/verify/ident.conf -c ssl=off -c archive_mode=off -c archive_command='' -c fsync=off \
    -c full_page_writes=off -c autovacuum=off -c log_destination=stderr -c logging_collector=off \
    -c primary_conninfo='' -c hot_standby=on -c shared_buffers=128MB -c max_logical_replication_workers=0";

/// pgBackRest's configuration, below the server's home.
pub(crate) const CONFIGURATION: &str = "pgbackrest.conf";
const RECOVERING: &str = "SELECT pg_catalog.pg_is_in_recovery()";
/// What the server's log says of its end begins with one of these.
const GRAVE: [&str; 4] = ["FATAL:", "PANIC:", "ERROR:", "could not"];
/// What pg_amcheck says where its extension is not installed.
const NO_AMCHECK: [&str; 2] = [r#"extension "amcheck" is not available"#, "amcheck.control\": No such file"];
/// How long a server may take to end its recovery once it lets us in.
const PROMOTED: Duration = Duration::from_mins(10);

/// Has pgBackRest restore a backup into the server, out of the live server's repository, and reads what it holds.
pub(crate) fn repository(ctx: &Context, server: &Throwaway, manifest: &Manifest) -> Result<Proof, Error> {
    let physical = manifest.physical.clone().unwrap_or_default();
    let (stanza, label) = (physical.stanza.unwrap_or_default(), physical.label.unwrap_or_default());
    let intent = json!({"id": manifest.id, "stanza": stanza, "label": label});
    ctx.change("verify", &format!("have pgBackRest restore {label} into a throwaway server"), intent, || {
        let begun = Instant::now();
        let data = format!("{HOME}/data");
        server.must(server.user(), &["mkdir", "-m", "700", &data, &format!("{HOME}/lock")])?;
        let words = [
            format!("--config={HOME}/{CONFIGURATION}"),
            format!("--stanza={stanza}"),
            format!("--set={label}"),
            format!("--pg1-path={data}"),
            format!("--lock-path={HOME}/lock"),
            format!("--tablespace-map-all={HOME}/tablespaces"),
            "--log-level-file=off".into(),
            "--type=immediate".into(),
            "--target-action=promote".into(),
            "--archive-mode=off".into(),
        ];
        let command: Vec<&str> =
            ["pgbackrest"].into_iter().chain(words.iter().map(String::as_str)).chain(["restore"]).collect();
        match server.exec(server.user(), &command)? {
            (0, _) => {}
            (code, text) => return Err(restoring(code, &text)),
        }
        start(server, &data)?;
        promoted(ctx, server)?;
        let restore_ms = milliseconds(begun);
        read_all(ctx, server, manifest, restore_ms)
    })
}

/// A repository that can't be reached says nothing about the backup.
fn restoring(code: i64, text: &str) -> Error {
    let away = [
        "HostConnect",
        "unable to open",
        "Temporary failure in name resolution",
        "unable to get address",
        "unable to connect",
    ];
    let problem = process::tail(text);
    if code > 125 || away.iter().any(|words| text.contains(words)) {
        return BackupError::Throwaway { step: "pgbackrest".into(), code, problem }.into();
    }
    BackupError::NotRestorable { object: Some("pgbackrest restore".into()), problem }.into()
}

/// The server lets readers in before its recovery has ended.
fn promoted(ctx: &Context, server: &Throwaway) -> Result<(), Error> {
    let deadline = Deadline::after(Some(PROMOTED));
    let mut client = server.connect("template1")?;
    while client.query_one(RECOVERING, &[])?.get(0) {
        ctx.session.check("waiting for the end of recovery")?;
        if deadline.passed() {
            return Err(BackupError::Throwaway {
                step: "recovery".into(),
                code: 0,
                problem: "it does not end".into(),
            }
            .into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Restores the chain in the server and reads what it holds.
pub(crate) fn run(
    ctx: &Context,
    server: &Throwaway,
    chain: &[&Path],
    manifest: &Manifest,
) -> Result<Proof, Error> {
    let intent = json!({"id": manifest.id, "parts": chain.len()});
    ctx.change("verify", &format!("start a throwaway server on {} and read it", manifest.id), intent, || {
        let begun = Instant::now();
        let data = unpack(server, chain)?;
        check_files(server, &data)?;
        start(server, &data)?;
        let restore_ms = milliseconds(begun);
        read_all(ctx, server, manifest, restore_ms)
    })
}

fn read_all(
    ctx: &Context,
    server: &Throwaway,
    manifest: &Manifest,
    restore_ms: u64,
) -> Result<(Proof, Value), Error> {
    let reading = Instant::now();
    let depth = read(ctx, server, manifest)?;
    check_pages(server)?;
    let read_ms = milliseconds(reading);
    let data = json!({"restore_ms": restore_ms, "read_ms": read_ms, "tables": manifest.tables.len()});
    let (computed, bound) = (Vec::new(), Vec::new());
    Ok((Proof { depth, restore_ms, read_ms, computed, bound }, data))
}

/// The data directory inside the server.
fn unpack(server: &Throwaway, chain: &[&Path]) -> Result<String, Error> {
    server.give_home()?;
    let mut parts = Vec::new();
    for (i, directory) in chain.iter().enumerate() {
        let (from, to) = (format!("{}/{DATA}", server.place(directory)), format!("{HOME}/part{i}"));
        // The files are readable to us alone, and that is root inside; tar keeps their owner.
        let (code, text) = server.exec(ROOT, &["sh", "-c", UNPACK, "sh", &from, &to])?;
        if code != 0 {
            return Err(unpacking(code, &text));
        }
        server.must(ROOT, &["chown", "-R", server.user(), &to])?;
        parts.push(to);
    }
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let data = format!("{HOME}/data");
    let mut words = vec!["pg_combinebackup", "--no-sync", "--output", &data];
    words.extend(parts.iter().map(String::as_str));
    match server.exec(server.user(), &words)? {
        (0, _) => Ok(data),
        (code, text) => Err(condemned(BACKUP_MANIFEST, code, &text)),
    }
}

/// A program that is missing says nothing about the backup; an archive that ends too early does.
fn unpacking(code: i64, text: &str) -> Error {
    let step = "unpack".into();
    if code == 126 || code == 127 || text.contains("not found") || text.contains("No space left") {
        return BackupError::Throwaway { step, code, problem: process::tail(text) }.into();
    }
    BackupError::NotRestorable { object: Some("base.tar".into()), problem: process::tail(text) }.into()
}

pub(super) fn condemned(object: &str, code: i64, text: &str) -> Error {
    let problem = process::tail(text);
    if code > 125 || problem.contains("No space left") {
        return BackupError::Throwaway { step: object.into(), code, problem }.into();
    }
    BackupError::NotRestorable { object: Some(object.into()), problem }.into()
}

/// Every file against the list that the live server has made, and the WAL that makes them consistent.
fn check_files(server: &Throwaway, data: &str) -> Result<(), Error> {
    match server.exec(server.user(), &["pg_verifybackup", "--quiet", data])? {
        (0, _) => Ok(()),
        (code, text) => Err(condemned("pg_verifybackup", code, &text)),
    }
}

fn start(server: &Throwaway, data: &str) -> Result<(), Error> {
    let write = format!("echo 'local all all trust' >{HOME}/hba.conf && : >{HOME}/ident.conf");
    server.must(server.user(), &["sh", "-c", &write])?;
    let log = format!("{HOME}/log");
    let options = format!("{OVERRIDES}{}", room::options(server, data)?);
    let words = ["pg_ctl", "-D", data, "-l", &log, "-o", &options, "-w", "-t", "3600", "-s", "start"];
    match server.exec(server.user(), &words)? {
        (0, _) => Ok(()),
        (code, text) => {
            let (_, said) = server.exec(ROOT, &["tail", "-n", "200", &log])?;
            let grave = |line: &&str| GRAVE.iter().any(|word| line.contains(word));
            let reasons = said.lines().filter(grave).collect::<Vec<_>>().join("\n");
            Err(condemned("start", code, if reasons.is_empty() { &text } else { &reasons }))
        }
    }
}

/// Every table of our database, compared where nobody had written to the server meanwhile.
fn read(ctx: &Context, server: &Throwaway, manifest: &Manifest) -> Result<Option<Depth>, Error> {
    let connect = || Ok(server.connect(&manifest.database.name)?);
    let still = manifest.physical.as_ref().is_some_and(|p| p.still);
    let depth = if still { manifest.depth() } else { Depth::Count };
    ctx.session.check("reading the tables")?;
    let was = manifest.facts();
    let restored = fresh::read(ctx, &connect, depth, &was)?;
    if !still {
        return Ok(None);
    }
    if let Some(difference) = difference(&restored, &was) {
        return Err(Error::Differs(difference));
    }
    // Files are copied: nothing is computed anew.
    match computed::differences(&restored, &was).first() {
        Some(found) => Err(Error::Differs(format!("{} has other values than before", found.name()))),
        None => Ok(Some(depth)),
    }
}

/// Every page of every table and index of every database, by the server's own amcheck.
fn check_pages(server: &Throwaway) -> Result<(), Error> {
    let words = ["--all", "--install-missing", "--jobs=2"];
    let (code, text) = server.client(server.user(), "pg_amcheck", &words)?;
    // Neither the program nor its extension is in every image: what they would say is then not known, and
    // not needed.
    let missing = matches!(code, 126 | 127) || NO_AMCHECK.iter().any(|words| text.contains(words));
    match code {
        0 => Ok(()),
        _ if missing => Ok(()),
        code => Err(condemned("pg_amcheck", code, &text)),
    }
}
