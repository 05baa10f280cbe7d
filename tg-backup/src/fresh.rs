//! A fresh database made from a backup: complete and compared before anybody hears of it.

use std::collections::BTreeMap;

use serde_json::json;
use tg_core::database::ident;

use crate::cluster::{Cluster, comment};
use crate::context::Context;
use crate::dump::{DATA, JOBS, conninfo};
use crate::error::Error;
use crate::facts::{self, Facts};
use crate::manifest::Manifest;
use crate::mark::{Mark, Marked};
use crate::names::Kind;
use crate::sidecar::{BACKUP, Sidecar};
use crate::store::Entry;

/// Every file as it was written, or nothing is restored from it.
pub(crate) fn check(ctx: &Context, entry: &Entry, manifest: &Manifest) -> Result<(), Error> {
    ctx.session.check("checking the backup's files")?;
    match manifest.damage(&entry.path) {
        Some((file, problem)) => Err(Error::Damaged { id: entry.id.clone(), file, problem }),
        None => Ok(()),
    }
}

/// Restores into a new database; on any failure that is dropped again.
pub(crate) fn build(
    ctx: &Context,
    cluster: &mut Cluster,
    entry: &Entry,
    manifest: &Manifest,
) -> Result<Marked, Error> {
    let name = cluster.free_name(Kind::New, &ctx.target.name)?;
    let mut mark = Mark::new(Kind::New, &ctx.target.name, &ctx.session.run);
    mark.source = Some(entry.id.clone());
    mark.source_run = Some(manifest.run.clone());
    mark.comment.clone_from(&manifest.database.comment);
    let intent = json!({"id": entry.id, "database": name});
    let built = ctx.change("restore-data", &format!("restore {} into {name}", entry.id), intent, || {
        cluster.execute(&manifest.database.create(&name))?;
        cluster.execute(&comment(&name, Some(&mark.text())))?;
        fill(ctx, entry, &name)?;
        compare(ctx, &name, manifest)?;
        cluster.execute_all(&manifest.database.dress(&name))?;
        let oid = cluster.find(&name)?.map(|(oid, _)| oid).ok_or_else(|| Error::NoDatabase(name.clone()))?;
        let bytes = cluster.database(&name)?.size_bytes;
        let data = json!({"database": name, "oid": oid, "bytes": bytes, "rows": manifest.rows()});
        Ok((Marked { oid, name: name.clone(), bytes, mark: mark.clone() }, data))
    });
    if built.is_err() {
        // What can't be dropped now carries our mark or our name, and the next run drops it.
        let _ = ctx.cluster().and_then(|mut again| again.drop_database(&name));
    }
    built
}

fn fill(ctx: &Context, entry: &Entry, name: &str) -> Result<(), Error> {
    let arguments = [
        "--format=directory".into(),
        JOBS.into(),
        "--exit-on-error".into(),
        format!("--dbname={}", conninfo(name)),
        format!("{BACKUP}/{DATA}"),
    ];
    Sidecar::reading(ctx, &entry.path).run("pg_restore", &arguments)
}

/// pg_restore's exit code does not prove that the rows are there: counting does.
fn compare(ctx: &Context, name: &str, manifest: &Manifest) -> Result<(), Error> {
    ctx.session.check("comparing with the manifest")?;
    let mut client = ctx.target.connect(crate::TOOL, Some(name))?;
    let restored = facts::of(&mut client)?;
    if let Some(difference) = difference(&restored, manifest) {
        return Err(Error::Differs(difference));
    }
    for (extension, was) in changed_extensions(&restored, manifest) {
        let msg = format!("extension {} is {} now and was {was}", extension.name, extension.version);
        ctx.session.emit.warning("extension-version", &msg, json!({"extension": extension, "was": was}))?;
    }
    client.batch_execute("ANALYZE")?;
    Ok(())
}

/// The first thing that is not as the manifest says.
fn difference(restored: &Facts, manifest: &Manifest) -> Option<String> {
    let rows = |tables: &[facts::Table]| -> BTreeMap<String, i64> {
        tables.iter().map(|t| (t.quoted(), t.rows)).collect()
    };
    let (is, was) = (rows(&restored.tables), rows(&manifest.tables));
    let wrong = was.iter().find_map(|(table, rows)| match is.get(table) {
        None => Some(format!("table {table} is missing")),
        Some(now) if now != rows => Some(format!("table {table} has {now} rows instead of {rows}")),
        Some(_) => None,
    });
    let more = || is.keys().find(|t| !was.contains_key(*t)).map(|t| format!("table {t} is too many"));
    let sequence = || {
        let there = |s: &&facts::Sequence| {
            restored.sequences.iter().any(|r| (&r.schema, &r.name) == (&s.schema, &s.name))
        };
        let gone = manifest.sequences.iter().find(|s| !there(s))?;
        Some(format!("sequence {}.{} is missing", ident(&gone.schema), ident(&gone.name)))
    };
    let extension = || {
        let there = |e: &&facts::Extension| restored.extensions.iter().any(|r| r.name == e.name);
        manifest.extensions.iter().find(|e| !there(e)).map(|e| format!("extension {} is missing", e.name))
    };
    let objects = || {
        let (is, was) = (restored.large_objects, manifest.large_objects);
        (is != was).then(|| format!("it has {is} large objects instead of {was}"))
    };
    wrong.or_else(more).or_else(sequence).or_else(extension).or_else(objects)
}

fn changed_extensions<'a>(
    restored: &'a Facts,
    manifest: &'a Manifest,
) -> Vec<(&'a facts::Extension, &'a str)> {
    let was = |e: &facts::Extension| {
        manifest.extensions.iter().find(|m| m.name == e.name).map(|m| m.version.as_str())
    };
    let changed = restored.extensions.iter().filter_map(|e| Some((e, was(e)?)));
    changed.filter(|(e, was)| e.version != *was).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Sequence, Table};
    use crate::manifest::tests::synthetic;

    #[test]
    fn a_restored_database_that_differs_in_anything_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let (manifest, _) = synthetic(root.path());
        let same = Facts {
            tables: manifest.tables.clone(),
            sequences: vec![],
            extensions: vec![],
            large_objects: 0,
        };
        assert_eq!(difference(&same, &manifest), None);
        let mut less = same.clone();
        less.tables[0].rows = 1;
        assert_eq!(
            difference(&less, &manifest).unwrap(),
            "table \"we ird\".\"Tä\"\"ble\" has 1 rows instead of 2"
        );
        let none = Facts { tables: vec![], ..same.clone() };
        assert!(difference(&none, &manifest).unwrap().ends_with("is missing"));
        let mut more = same.clone();
        more.tables.push(Table { name: "x".into(), ..Table::default() });
        assert!(difference(&more, &manifest).unwrap().ends_with("is too many"));
        let objects = Facts { large_objects: 1, ..same.clone() };
        assert_eq!(difference(&objects, &manifest).unwrap(), "it has 1 large objects instead of 0");
        let mut sequence = manifest.clone();
        sequence.sequences.push(Sequence { schema: "s".into(), name: "q".into(), last: None });
        assert_eq!(difference(&same, &sequence).unwrap(), "sequence \"s\".\"q\" is missing");
    }
}
