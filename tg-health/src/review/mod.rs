//! `tg-health review`: how were the last days?

mod backups;
mod before;
mod certificate;
mod changes;
pub(crate) mod cli;
mod containers;
mod database;
mod digest;
mod entry;
mod host;
mod logs;
mod page;
mod plot;
mod timeline;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tg_core::backup::store::Store;
use tg_core::database::Target;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::state::State;
use tg_core::{Answer, Error as CoreError, Session, atomic_file};

use self::before::Before;
pub(crate) use self::cli::Review;
use self::digest::Digest;
use self::entry::{Entry, Severity};
use crate::error::Error;
use crate::log::Level;

/// How many of each list are told, weekly and with `--full`.
const MOST: usize = 10;
const MOST_FULL: usize = 50;

/// Looks at everything, tells it, remembers what the next review must know.
pub(crate) fn run(session: &Session, args: &Review) -> Result<Answer, Error> {
    let project = Project::load(session)?;
    let state = project.state()?;
    if let Some(run) = &args.run {
        return timeline::tell(session, &state, run, args.html.as_deref());
    }
    let others = args.from.as_deref().map(records).transpose()?.unwrap_or_default();
    let facts = json!({
        "version": env!("CARGO_PKG_VERSION"), "project": project.name, "since_s": args.since.as_secs(), "full": args.full,
    });
    session
        .emit
        .start(&format!("reviewing the last {} of {}", days(args.since.as_secs()), project.name), facts)?;
    let found = look(session, &project, &state, args, others)?;
    for entry in &found.entries {
        session.emit.record(&entry.msg, entry.data())?;
    }
    if let Some(path) = &args.html {
        let page =
            page::of(&project.name, &days(args.since.as_secs()), &tg_core::event::now(), &found.entries);
        atomic_file::write(path, page.as_bytes())?;
    }
    if let Err(error) = before::remember(&state, found.database, signatures(&found.digests)) {
        let msg = format!("what is new the next review can't tell: {error}");
        session.emit.warning("not-remembered", &msg, json!({}))?;
    }
    Ok(answer(&found.entries, args.html.as_deref()))
}

/// All that was found.
struct Found {
    entries: Vec<Entry>,
    digests: BTreeMap<String, Digest>,
    database: Option<i64>,
}

fn look(
    session: &Session,
    project: &Project,
    state: &State,
    args: &Review,
    others: Vec<Entry>,
) -> Result<Found, Error> {
    let most = if args.full { MOST_FULL } else { MOST };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let since = now.saturating_sub(args.since.as_secs());
    let before = Before::read(state);
    let engine = Engine::connect(&session.bounds())?;
    let mut all = engine.of_project(&project.name)?;
    all.retain(|container| !container.one_off);
    let digests = logs::read(session, &all, i64::try_from(since).unwrap_or(0))?;
    let mut entries = logs::entries(&digests, before.signatures.as_ref(), most);
    entries.extend(containers::entries(&engine, project, &all, &state.resting())?);
    let asked = Target::find(session, project, &engine, &args.database).and_then(|target| {
        database::entries(&target, &before, args.full, i64::try_from(most).unwrap_or(i64::MAX))
    });
    let size = match asked {
        Ok((told, size)) => {
            entries.extend(told);
            Some(size)
        }
        Err(error) => {
            entries.push(Entry {
                severity: Severity::Attention,
                ..Entry::unseen("database", &error.to_string())
            });
            None
        }
    };
    session.check("reviewing")?;
    let store = Store::of(project, None);
    entries.extend(disks(project, &engine, store.as_ref().ok()));
    entries.extend(certificate::entry(&project.health_url()?));
    match &store {
        Ok(store) => entries.push(backups::entry(store)),
        Err(error) => entries.push(Entry::unseen("backups", &error.to_string())),
    }
    entries.extend(changes::entries(state, since));
    entries.extend(others);
    Ok(Found { entries, digests, database: size })
}

fn disks(project: &Project, engine: &Engine, store: Option<&Store>) -> Vec<Entry> {
    let mut places = vec![("the project", project.directory.clone())];
    if let Ok(Some(root)) = engine.root_directory() {
        places.push(("Docker", root.into()));
    }
    if let Some(store) = store {
        places.push(("the backups", store.root().to_owned()));
    }
    host::entries(&places)
}

fn signatures(digests: &BTreeMap<String, Digest>) -> Vec<String> {
    let of = |service: &String, digest: &Digest| -> Vec<String> {
        digest
            .said
            .keys()
            .map(|(level, signature): &(Level, String)| logs::name(service, *level, signature))
            .collect()
    };
    digests.iter().flat_map(|(service, digest)| of(service, digest)).collect()
}

/// The records of other tools, as they said them.
fn records(path: &Path) -> Result<Vec<Entry>, CoreError> {
    let wrong = |problem: String| CoreError::Usage {
        problem: format!("--from {}: {problem}", path.display()),
        hint: "name a file with the JSON lines of a tg tool, or - for stdin".into(),
    };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|e| wrong(e.to_string()))?;
    let mut entries = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line: Value =
            serde_json::from_str(line).map_err(|_| wrong(format!("line {} is no JSON", n + 1)))?;
        if line["type"] == "record" {
            let msg = format!(
                "{}: {}",
                line["tool"].as_str().unwrap_or("?"),
                line["msg"].as_str().unwrap_or_default()
            );
            entries.push(Entry::new("others", "record", Severity::Note, msg, line["data"].clone()));
        }
    }
    Ok(entries)
}

fn answer(entries: &[Entry], html: Option<&Path>) -> Answer {
    let of = |severity| entries.iter().filter(move |entry| entry.severity == severity);
    let (attention, notes) = (of(Severity::Attention).count(), of(Severity::Note).count());
    let data = json!({
        "attention": attention, "notes": notes, "entries": entries.len(),
        "html": html.map(|path| path.display().to_string()),
    });
    match of(Severity::Attention).next() {
        None => Answer::yes(format!("nothing needs attention; {notes} things to know"), data),
        Some(first) => {
            let what = if attention == 1 {
                "one thing needs attention: ".to_owned()
            } else {
                format!("{attention} things need attention; the first: ")
            };
            Answer::no(what + &first.msg, data)
        }
    }
}

fn days(seconds: u64) -> String {
    containers::age(Some(seconds))
}
