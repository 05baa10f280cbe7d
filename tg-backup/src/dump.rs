//! The dump itself, and what its own snapshot holds: what makes it a proof.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tg_core::backup::database::Database;
use tg_core::backup::output::{Output, Written};
use tg_core::backup::{CONTENTS, DATA, Depth, GLOBALS, Method};
use tg_core::sql::conninfo;
use tg_core::thread::joined;

use crate::cli::CreateOptions;
use crate::clients::Call;
use crate::computed;
use crate::context::Context;
use crate::create::depth;
use crate::error::Error;
use crate::facts::{self, Facts, LargeObjects, Table};
use crate::globals;
use crate::locks::Budget;
use crate::snapshot::Snapshot;
use crate::standoff::{self, Standoff};
use crate::taken::Taken;
use crate::tally::Tally;
use crate::watcher::Watcher;

/// zstd at level 1 takes a third of gzip's time for less space; pg_dump knows it since 16.
const ZSTD: &str = "zstd:1";
const ZSTD_SINCE: i32 = 160_000;
const GZIP: &str = "1";
/// One container for all of it, since each costs half a second and a processor for as long.
const PLACES: &str = "contents=$1 data=$2 globals=$3; shift 3\n";
const DUMP: &str = r#"pg_dump "$@" && pg_restore --list --file="$contents" "$data"; code=$?
"#;
/// What is worth a worker of its own, bytes.
const WORTH_A_JOB: i64 = 16 << 20;

/// What was read beside the dump: tables, views and large objects.
type Read = (Vec<Table>, Vec<Table>, LargeObjects);

/// Dumps and reads in one snapshot, then checks that the one covers the other.
pub(crate) fn run(
    ctx: &Context,
    output: &Output,
    database: &Database,
    options: &CreateOptions,
) -> Result<Taken, Error> {
    let compression = if database.server_version_num >= ZSTD_SINCE { ZSTD } else { GZIP };
    let intent = json!({"database": database.name, "directory": output.path(), "compression": compression});
    ctx.change("dump", &format!("dump {}", database.name), intent, || {
        for attempt in 1.. {
            let standoff = Standoff::default();
            let failed = match one(ctx, (output, database), compression, options, &standoff) {
                Err(failed) => failed,
                taken => return taken,
            };
            let Some(sessions) = standoff::behind(ctx, &standoff, &failed) else { return Err(failed) };
            if attempt == standoff::ATTEMPTS {
                return Err(Error::Standoff { database: database.name.clone(), sessions, attempts: attempt });
            }
            // All that we held is free by now.
            standoff::tell(ctx, &sessions)?;
            ctx.session.check("dumping")?;
            clear(output.path())?;
        }
        unreachable!("the last attempt returns")
    })
}

/// What an attempt has written is not part of the next one.
fn clear(directory: &Path) -> Result<(), Error> {
    let failed = |e: std::io::Error| tg_core::Error::file(directory, &e);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_directory = entry.file_type().map_err(failed)?.is_dir();
        let remove = if is_directory { std::fs::remove_dir_all } else { std::fs::remove_file };
        remove(entry.path()).map_err(failed)?;
    }
    Ok(())
}

/// One attempt, in a snapshot of its own.
fn one(
    ctx: &Context,
    (output, database): (&Output, &Database),
    compression: &'static str,
    options: &CreateOptions,
    standoff: &Standoff,
) -> Result<(Taken, Value), Error> {
    let mut snapshot = Snapshot::take(ctx, options.lock_wait).map_err(|e| who_holds(ctx, e))?;
    let jobs = jobs(&mut snapshot, options.jobs.map(usize::from))?;
    let mut facts = Facts {
        sequences: facts::sequences(&mut snapshot.client)?,
        extensions: facts::extensions(&mut snapshot.client)?,
        ..Facts::default()
    };
    let roles = facts::roles(&mut snapshot.client)?;
    let arguments = arguments(ctx, &snapshot.id, compression, jobs, options);
    let depth = depth(ctx, options, jobs)?;
    let dump = |give_up: &(dyn Fn() -> bool + Sync)| write(ctx, (output, database), &arguments, give_up);
    let (written, read) = side_by_side(ctx, dump, (options, depth), (&mut snapshot, standoff))
        .map_err(|e| who_holds(ctx, e))?;
    (facts.tables, facts.views, facts.large_objects) = read;
    computed::stale(&facts.tables).iter().try_for_each(|found| found.tell(ctx, "by a restore"))?;
    let now = facts::sequences(&mut ctx.target.connect(crate::TOOL, None)?)?;
    facts::sequences_later(&mut facts.sequences, &now);
    if !snapshot.held
        && let Some(table) = snapshot.moved(ctx)?
    {
        return Err(Error::Moving(table));
    }
    covers(&written, &facts.tables)?;
    let data = told(&facts, jobs);
    let taken = Taken {
        method: Method::Dump,
        facts,
        roles,
        snapshot: snapshot.at,
        since: snapshot.since,
        format: "directory",
        compression,
        jobs,
        physical: None,
    };
    Ok((taken, data))
}

fn told(facts: &Facts, jobs: usize) -> Value {
    json!({"tables": facts.tables.len(), "rows": facts::rows(&facts.tables), "jobs": jobs})
}

/// As many workers as there are tables worth one: the greatest table bounds the time, and what all
/// others hold together can't take longer than it when they share few workers.
fn jobs(snapshot: &mut Snapshot, wanted: Option<usize>) -> Result<usize, Error> {
    if !Budget::of(&mut snapshot.client)?.may_share(snapshot.tables.len()) {
        return Ok(1);
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let sizes: Vec<i64> = snapshot.tables.iter().map(|t| t.bytes).collect();
    Ok(wanted.unwrap_or_else(|| useful(&sizes, processors)))
}

fn useful(sizes: &[i64], processors: usize) -> usize {
    let total: i64 = sizes.iter().sum();
    let greatest = sizes.iter().copied().max().unwrap_or(0).max(WORTH_A_JOB);
    // A table of 60 and others of 40 keep two busy, not one and a half.
    let busy = usize::try_from(total / greatest + i64::from(total % greatest > 0)).unwrap_or(1);
    busy.clamp(1, processors)
}

fn arguments(
    ctx: &Context,
    snapshot: &str,
    compression: &str,
    jobs: usize,
    options: &CreateOptions,
) -> Vec<String> {
    vec![
        "--format=directory".into(),
        format!("--jobs={jobs}"),
        format!("--compress={compression}"),
        format!("--snapshot={snapshot}"),
        format!("--lock-wait-timeout={}", options.lock_wait.as_millis()),
        // Every file is made durable when it is hashed.
        "--no-sync".into(),
        format!("--dbname={}", conninfo(&ctx.target.name)),
    ]
}

/// The dump, the counts and the watch over both: none waits for another. Where one fails the other is
/// ended.
fn side_by_side(
    ctx: &Context,
    dump: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> Result<Written, Error>,
    (options, depth): (&CreateOptions, Depth),
    (snapshot, standoff): (&mut Snapshot, &Standoff),
) -> Result<(Written, Read), Error> {
    let mut views = facts::views(&mut snapshot.client)?;
    let (failed, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let note = |failure: &Error| {
        ctx.session.emit.explain(&format!("ending the others: {failure}"));
        failed.store(true, Ordering::Relaxed);
    };
    let give_up = || failed.load(Ordering::Relaxed);
    let connect = || {
        let mut client = ctx.target.connect(crate::TOOL, None)?;
        client.batch_execute(&format!("SET lock_timeout = {}", options.lock_wait.as_millis()))?;
        Ok(client)
    };
    let tally = Tally::new(&connect, Some(&snapshot.id), depth, 1);
    let mut tables = snapshot.tables.clone();
    let watcher =
        Watcher { ctx, tables: &snapshot.tables, tally: &tally, give_up: &give_up, standoff, done: &done };
    let (dumped, counted) = std::thread::scope(|scope| {
        scope.spawn(|| watcher.watch());
        let counting = scope.spawn(|| {
            let read = tally.read(&mut tables).and_then(|objects| {
                tally.recompute(ctx, &mut tables)?;
                tally.views(ctx, &mut views)?;
                Ok(objects)
            });
            read.inspect_err(note)
        });
        let dumped = dump(&give_up).inspect_err(note);
        let counted = joined(counting);
        done.store(true, Ordering::Relaxed);
        (dumped, counted)
    });
    match (dumped, counted) {
        // What was ended by us fails too, and says less than what failed first.
        (Err(dump), Err(count)) if count.was_cancelled() => Err(dump),
        (_, Err(error)) | (Err(error), _) => Err(error),
        (Ok(written), Ok(objects)) => {
            globals::conclude(ctx, &written)?;
            Ok((written, (tables, views, objects)))
        }
    }
}

/// The dump, its table of contents, and what is beside the database.
fn write(
    ctx: &Context,
    (output, database): (&Output, &Database),
    arguments: &[String],
    give_up: &(dyn Fn() -> bool + Sync),
) -> Result<Written, Error> {
    let script = [PLACES, globals::BEGIN, DUMP, globals::AWAIT, "; exit $code"].concat();
    let command = |at: &str| {
        let places = [CONTENTS, DATA, GLOBALS].map(|name| format!("{at}/{name}"));
        let file = format!("--file={at}/{DATA}");
        let head = ["sh", "-c", &script, "sh"].map(str::to_owned);
        head.into_iter().chain(places).chain([file]).chain(arguments.iter().cloned()).collect()
    };
    let call = Call::new("pg_dump", output.path(), &command).unless(give_up);
    call.write(ctx, output, database.size_bytes, &[CONTENTS, globals::SAID, globals::CODE])
}

/// Says who it is when a table could not be had.
fn who_holds(ctx: &Context, error: Error) -> Error {
    let in_vain = error.to_string().contains("lock timeout");
    let holders = || ctx.cluster()?.holders(&ctx.target.name);
    match in_vain.then(holders) {
        Some(Ok(sessions)) => Error::Held { database: ctx.target.name.clone(), sessions },
        _ => error,
    }
}

/// Finds the data of every table that has rows in it.
fn covers(written: &Written, tables: &[Table]) -> Result<(), Error> {
    let text = written.text(CONTENTS)?;
    let listed = table_data(&text);
    for table in tables.iter().filter(|t| t.rows != Some(0)) {
        let Some(entry) = listed.get(&table.oid) else {
            return Err(Error::Incomplete(format!("it lacks the rows of {}", table.plain())));
        };
        let there =
            |end: &str| written.bytes(&format!("{DATA}/{entry}.dat{end}")).is_some_and(|bytes| bytes > 0);
        if !["", ".gz", ".zst", ".lz4"].into_iter().any(there) {
            return Err(Error::Incomplete(format!("it has no data file for {}", table.plain())));
        }
    }
    Ok(())
}

/// Which entry of a table of contents holds the rows of which table. Tables are told by oid, which
/// needs no quoting: `3456; 0 16403 TABLE DATA public places owner`.
fn table_data(contents: &str) -> HashMap<u32, u32> {
    let entry = |line: &str| {
        let (entry, rest) = line.split_once("; ")?;
        let mut words = rest.split(' ');
        let (_, oid) = (words.next()?, words.next()?);
        let data = (words.next()?, words.next()?) == ("TABLE", "DATA");
        data.then(|| Some((oid.parse().ok()?, entry.parse().ok()?)))?
    };
    contents.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_in_a_table_of_contents_whatever_their_names() {
        let text = ";\n; Archive created\n;\n225; 1259 16403 TABLE public a TABLE DATA o\n\
            3456; 0 16403 TABLE DATA we ird Tä\"b le o\n3457; 0 16410 SEQUENCE SET public s o\n";
        assert_eq!(table_data(text), HashMap::from([(16403, 3456)]));
    }

    #[test]
    fn there_are_as_many_workers_as_tables_keep_busy() {
        const GB: i64 = 1 << 30;
        assert_eq!(useful(&[], 8), 1);
        assert_eq!(useful(&[1000; 50], 8), 1, "small tables are not worth it");
        assert_eq!(useful(&[GB], 8), 1);
        assert_eq!(useful(&[6 * GB, 4 * GB], 8), 2);
        assert_eq!(useful(&[GB; 20], 8), 8);
        assert_eq!(useful(&[GB; 20], 2), 2);
    }
}
