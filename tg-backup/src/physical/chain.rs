//! The backups that an incremental one completes, oldest first.

use tg_core::backup::Error as BackupError;
use tg_core::backup::manifest::Manifest;
use tg_core::backup::store::{Entry, Store};

use crate::error::Error;

/// A backup and all that it stands on, whole ones first. One that is missing makes it worthless.
pub(crate) fn of(store: &Store, entry: &Entry, manifest: &Manifest) -> Result<Vec<Entry>, Error> {
    let mut chain =
        vec![Entry { id: entry.id.clone(), path: entry.path.clone(), manifest: entry.manifest.clone() }];
    let mut next = parent(manifest);
    while let Some(id) = next {
        let broken = |problem: &str| {
            let (entry, file, problem) = (entry.id.clone(), id.clone(), problem.into());
            Error::from(BackupError::Damaged { id: entry, file, problem })
        };
        if chain.iter().any(|e| e.id == id) {
            return Err(broken("it stands on itself"));
        }
        let below = store.entry(&id).ok_or_else(|| broken("the backup that it completes is missing"))?;
        let Ok(manifest) = below.manifest.clone() else {
            return Err(broken("the backup that it completes is damaged"));
        };
        next = parent(&manifest);
        chain.push(below);
    }
    chain.reverse();
    Ok(chain)
}

/// The backup that this one completes.
pub(crate) fn parent(manifest: &Manifest) -> Option<String> {
    manifest.physical.as_ref()?.parent.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tg_core::backup::Physical;
    use tg_core::backup::synthetic::synthetic;

    fn add(root: &std::path::Path, id: &str, parent: Option<&str>) -> Entry {
        let (manifest, directory) = synthetic(root);
        let path = root.join(id);
        std::fs::rename(directory, &path).unwrap();
        let physical = Physical { parent: parent.map(str::to_owned), ..Physical::default() };
        let mut manifest = Manifest { id: id.into(), physical: Some(physical), ..manifest };
        manifest.write(&path).unwrap();
        Entry { id: id.into(), path, manifest: Ok(Box::new(manifest)) }
    }

    fn ids(store: &Store, entry: &Entry) -> Result<Vec<String>, Error> {
        let manifest = entry.manifest.clone().unwrap();
        Ok(of(store, entry, &manifest)?.into_iter().map(|e| e.id).collect())
    }

    #[test]
    fn a_chain_begins_with_the_whole_one_and_breaks_when_a_part_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::at(root.path().to_owned());
        let whole = add(root.path(), "a", None);
        add(root.path(), "b", Some("a"));
        let last = add(root.path(), "c", Some("b"));
        assert_eq!(ids(&store, &whole).unwrap(), ["a"]);
        assert_eq!(ids(&store, &last).unwrap(), ["a", "b", "c"]);
        std::fs::remove_dir_all(root.path().join("a")).unwrap();
        assert!(
            matches!(ids(&store, &last), Err(Error::Backup(BackupError::Damaged { file, .. })) if file == "a")
        );
    }

    #[test]
    fn a_chain_that_bites_its_tail_ends() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::at(root.path().to_owned());
        add(root.path(), "a", Some("b"));
        let last = add(root.path(), "b", Some("a"));
        assert!(ids(&store, &last).is_err());
    }
}
