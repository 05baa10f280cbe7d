//! Shows backups, rollback points and kept databases.

use serde_json::{Value, json};
use tg_core::backup::manifest::MANIFEST;
use tg_core::bytes::size;
use tg_core::clock;
use tg_core::database::Target;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::{Answer, Session};

use crate::catalog::{self, Backup};
use crate::cli::{Cli, ListOptions};
use crate::cluster::Cluster;
use crate::context::Context;
use crate::error::Error;
use crate::mark::Marked;
use crate::names::Kind;
use crate::point;

pub(crate) fn run(session: &Session, cli: &Cli, options: &ListOptions) -> Result<Answer, Error> {
    let ctx = Context::aside(session, cli, "list", "backups of")?;
    let mut rows = Vec::new();
    for found in catalog::all(&ctx)? {
        session.check("checking backups")?;
        rows.push(backup(&found, options.check));
    }
    let unseen = match in_server(session, cli, &ctx.project) {
        Ok(marked) => {
            rows.extend(marked.iter().map(database));
            None
        }
        Err(error) => {
            session.check("looking for rollback points")?;
            let msg = format!("rollback points are not shown: {error}");
            session.emit.warning("no-points", &msg, json!({}))?;
            Some(error.to_string())
        }
    };
    // Stable, so that two of one second stay in the order of their names.
    rows.sort_by(|a, b| b["created"].as_str().cmp(&a["created"].as_str()));
    for row in &rows {
        session.emit.record(&sentence(row), row.clone())?;
    }
    let count = |kind: &str| rows.iter().filter(|r| r["kind"] == kind).count();
    // In the server.
    let there = |kind: &str| unseen.is_none().then(|| count(kind));
    let damaged = rows.iter().filter(|r| r["intact"] == false).count();
    let mut data = json!({"changed": false, "backups": count("backup"), "points": there("point"), "kept": there("kept"), "damaged": damaged});
    if let Some(why) = &unseen {
        data["unknown"] = json!({"points": why, "kept": why});
    }
    let points = there("point").map_or("an unknown number of".into(), |n| n.to_string());
    let msg = format!("{} backups, {points} rollback points", count("backup"));
    Ok(match damaged {
        0 => Answer::yes(msg, data),
        n if options.check => Answer::no(format!("{msg}; {n} damaged"), data),
        n => Answer::yes(format!("{msg}; {n} damaged"), data),
    })
}

fn in_server(session: &Session, cli: &Cli, project: &Project) -> Result<Vec<Marked>, Error> {
    let target = Target::find(session, project, &Engine::connect(&session.bounds())?, &cli.database)?;
    let mut marked = Cluster::open(&target)?.marked(&target.name)?;
    marked.retain(|m| m.mark.tg != Kind::New);
    Ok(marked)
}

fn backup(found: &Backup, check: bool) -> Value {
    let manifest = match &found.manifest {
        Ok(manifest) => manifest,
        Err(problem) => {
            // Its name tells the time even where its manifest can't be believed.
            return json!({"kind": "backup", "id": found.id, "created": clock::of_compact(&found.id), "path": found.local, "intact": false, "file": MANIFEST, "problem": problem});
        }
    };
    let here = found.local.as_ref().filter(|_| check);
    let damage = here.and_then(|path| manifest.damage(path));
    let proof = found.verification.as_ref();
    let mut row = json!({
        "kind": "backup", "id": found.id, "created": manifest.created, "age_s": clock::age_s(&manifest.created),
        "bytes": manifest.bytes(), "rows": manifest.rows(), "run": manifest.run,
        "database": manifest.database.name, "server_version": manifest.database.server_version,
        "path": found.local, "method": manifest.method, "is_backup": true, "checked": here.is_some(), "stored": found.stored, "intact": here.map(|_| damage.is_none()),
        "verified": found.verified(),
        "verification": proof.map(|p| json!({"outcome": p.outcome, "at": p.at, "depth": p.depth, "restore_ms": p.restore_ms, "problem": p.problem})),
    });
    if let (Some((file, problem)), Some(map)) = (damage, row.as_object_mut()) {
        map.insert("file".into(), json!(file));
        map.insert("problem".into(), json!(problem));
    }
    row
}

fn database(marked: &Marked) -> Value {
    if marked.mark.tg == Kind::Point {
        return point::record(marked);
    }
    json!({
        "kind": "kept", "id": marked.name, "created": marked.mark.created,
        "age_s": clock::age_s(&marked.mark.created), "bytes": marked.bytes, "run": marked.mark.run,
        "database": marked.mark.of, "is_backup": false, "replaced_by": marked.mark.source,
    })
}

fn sentence(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let mut parts = vec![text("kind").to_owned(), text("id").to_owned()];
    if let Some(bytes) = row["bytes"].as_u64() {
        parts.push(size(bytes));
    }
    if let Some(rows) = row["rows"].as_i64() {
        parts.push(format!("{rows} rows"));
    }
    match row["verification"]["outcome"].as_str() {
        Some("verified") => parts.push("verified".into()),
        Some(_) => parts
            .push(format!("NOT RESTORABLE: {}", row["verification"]["problem"].as_str().unwrap_or_default())),
        None => {}
    }
    if row["stored"] == true {
        parts.push(if row["path"].is_null() {
            "in the store only".into()
        } else {
            "also in the store".to_owned()
        });
    }
    if row["intact"] == false {
        parts.push(format!("DAMAGED: {}: {}", text("file"), text("problem")));
    }
    if text("kind") == "point" {
        parts.push(format!("({})", text("note")));
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tg_core::backup::store::Store;
    use tg_core::backup::synthetic::synthetic;

    #[test]
    fn a_backup_with_a_bad_manifest_is_shown_as_damaged_and_keeps_its_time() {
        let root = tempfile::tempdir().unwrap();
        let (_, directory) = synthetic(root.path());
        std::fs::write(directory.join(MANIFEST), "{}").unwrap();
        let row = backup(&catalog::local(&Store::at(root.path().to_owned()))[0], false);
        assert_eq!((&row["intact"], &row["created"]), (&json!(false), &json!("2026-11-23T07:45:00Z")));
    }

    #[test]
    fn damage_behind_a_good_manifest_is_seen_when_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let (_, directory) = synthetic(root.path());
        std::fs::write(directory.join("data/1.dat.zst"), "one rOw\n").unwrap();
        let found = &catalog::local(&Store::at(root.path().to_owned()))[0];
        assert_eq!(backup(found, false)["intact"], Value::Null, "nobody has looked");
        let checked = backup(found, true);
        assert_eq!((&checked["intact"], &checked["file"]), (&json!(false), &json!("data/1.dat.zst")));
    }
}
