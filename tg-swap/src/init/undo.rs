//! Takes back what init made, where nobody has changed it since.

use serde_json::json;
use tg_core::history;
use tg_core::project::Project;
use tg_core::session::{Answer, Session};
use tg_core::state::State;

use super::change::{self, Change};
use super::error::InitError;
use super::record::Record;
use super::{HAPROXY_CFG, STATE_FILE};
use crate::cli::Cli;
use crate::stop::object;

pub(super) fn run(session: &Session, cli: &Cli) -> Result<Answer, InitError> {
    let project = Project::load(session)?;
    let state = project.state()?;
    let facts = json!({"version": crate::VERSION, "project": project.name, "dry_run": cli.dry_run});
    session.emit.start("taking back what tg-swap init made", facts)?;
    let Some(record) = Record::read(&state)? else {
        let msg = "there is nothing to take back: tg-swap init was not applied here";
        return Ok(Answer::yes(msg, json!({"changed": false})));
    };
    let changes = changes(session, &project, &record)?;
    let files: Vec<_> = changes.iter().map(|change| &change.path).collect();
    if cli.dry_run {
        for change in &changes {
            let diff = change.diff(&project.directory);
            session.emit.record(&diff, json!({"kind": "change", "path": change.path, "diff": diff}))?;
        }
        return Ok(Answer::yes("dry run: nothing was changed", json!({"changed": false, "files": files})));
    }
    let _lock = session.begin_change(&state)?;
    session.check("taking files back")?;
    take_back(session, &project, &state, &changes)?;
    let facts = json!({"changed": true, "files": files});
    history::append(&state, &session.run, crate::TOOL, "init-undo", object(facts.clone()))?;
    let msg = "the files are as before. Then run docker compose up -d --remove-orphans: it ends HAProxy and \
               gives the port back to the API, with a short interruption";
    Ok(Answer::yes(msg, facts))
}

fn take_back(
    session: &Session,
    project: &Project,
    state: &State,
    changes: &[Change],
) -> Result<(), InitError> {
    let runner = session.runner();
    let done = session.emit.change("init-undo", "take the files back", json!({}), || {
        change::make_all(changes)?;
        // With -f the file that is gone may be named.
        if session.shared.files.is_empty() {
            project.compose.config(runner, &[]).map_err(|e| InitError::NotAsMeant(e.to_string()))?;
        }
        Record::forget(state)?;
        Ok(((), json!({})))
    });
    done.map_err(|cause| super::put_back(session, changes, cause, || Ok(())))
}

/// The changes that lead back: the list in `.env` first, so that it never names a file that is gone.
fn changes(session: &Session, project: &Project, record: &Record) -> Result<Vec<Change>, InitError> {
    let (mut back, mut foreign) = (Vec::new(), Vec::new());
    if let Some(entry) = &record.listed {
        let path = project.path(".env");
        let now = change::read(&path)?;
        if let Ok(after) = entry.remove(now.as_deref()) {
            back.push(Change { path, before: now, after, private: true });
        } else {
            let before = Some(entry.put_in(now.as_deref()));
            foreign.push(Change { path, before, after: now, private: true });
        }
    }
    for made in &record.made {
        let change = Change::to(project.directory.join(&made.path), None)?;
        if change.before.as_ref().is_some_and(|text| *text != made.text) {
            let after = change.before.clone();
            foreign.push(Change { before: Some(made.text.clone()), after, ..change });
        } else {
            back.push(change);
        }
        if made.path.as_os_str() == HAPROXY_CFG {
            // Written by tg-swap: nothing of the user's.
            back.push(Change::to(project.path(STATE_FILE), None)?);
        }
    }
    refuse(session, project, foreign)?;
    back.retain(|change| !change.is_none());
    Ok(back)
}

/// Shows what others have changed since, and refuses to take it back.
fn refuse(session: &Session, project: &Project, foreign: Vec<Change>) -> Result<(), InitError> {
    for change in &foreign {
        let diff = change.diff(&project.directory);
        session.emit.record(&diff, json!({"kind": "changed-since", "path": change.path, "diff": diff}))?;
    }
    if foreign.is_empty() {
        return Ok(());
    }
    Err(InitError::ChangedSince(foreign.into_iter().map(|change| change.path).collect()))
}
