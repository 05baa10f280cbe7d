//! What a proof found, kept beside the backup that it is about.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tg_core::atomic_file;

use crate::error::Error;
use crate::manifest::{self, Manifest};
use crate::tally::Depth;

pub(crate) const FILE: &str = "verification.json";
const VERSION: u8 = 1;

/// Whether the backup came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Verified,
    #[default]
    NotRestorable,
}

/// The newest proof of a backup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verification {
    pub v: u8,
    pub id: String,
    /// The manifest's own hash: another manifest is another backup.
    pub manifest: String,
    pub outcome: Outcome,
    /// RFC 3339.
    pub at: String,
    pub run: String,
    pub tool_version: String,
    /// How much of each table was compared.
    pub depth: Option<Depth>,
    pub tables: usize,
    pub rows: Option<i64>,
    /// How long the data took to come back.
    pub restore_ms: u64,
    /// How long the comparing took.
    pub read_ms: u64,
    pub duration_ms: u64,
    /// What could not be restored, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Verification {
    pub(crate) fn of(manifest: &Manifest, run: &str) -> Self {
        Verification {
            v: VERSION,
            id: manifest.id.clone(),
            manifest: manifest.hash.clone(),
            at: crate::clock::rfc3339(std::time::SystemTime::now()),
            run: run.to_owned(),
            tool_version: crate::VERSION.to_owned(),
            tables: manifest.tables.len(),
            rows: manifest.rows(),
            ..Verification::default()
        }
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let document = serde_json::to_value(self).unwrap_or_default();
        let text = manifest::sealed(document).1;
        Ok(atomic_file::write(&directory.join(FILE), text.as_bytes())?)
    }

    /// The proof of this very manifest, if there is one that can be believed.
    pub(crate) fn read(directory: &Path, manifest: &Manifest) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(directory.join(FILE)).ok()?, manifest)
    }

    /// The same of its text.
    pub(crate) fn parse(text: &str, manifest: &Manifest) -> Option<Self> {
        let document: Value = manifest::unsealed(text).ok()?.0;
        let read: Verification = serde_json::from_value(document).ok()?;
        (read.v == VERSION && read.manifest == manifest.hash && read.id == manifest.id).then_some(read)
    }

    pub(crate) fn is_good(&self) -> bool {
        self.outcome == Outcome::Verified
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::synthetic;

    #[test]
    fn a_proof_counts_for_the_manifest_that_it_was_made_of_and_only_unedited() {
        let root = tempfile::tempdir().unwrap();
        let (manifest, directory) = synthetic(root.path());
        assert_eq!(Verification::read(&directory, &manifest), None);
        let proof = Verification { outcome: Outcome::Verified, ..Verification::of(&manifest, "r") };
        proof.write(&directory).unwrap();
        assert_eq!(Verification::read(&directory, &manifest), Some(proof));
        let other = Manifest { hash: "x".into(), ..manifest.clone() };
        assert_eq!(Verification::read(&directory, &other), None);
        let text = std::fs::read_to_string(directory.join(FILE)).unwrap();
        std::fs::write(directory.join(FILE), text.replace("\"tables\": 1", "\"tables\": 2")).unwrap();
        assert_eq!(Verification::read(&directory, &manifest), None);
    }
}
