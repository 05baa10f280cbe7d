//! What a proof found, kept beside the backup that it is about.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::atomic_file;
use crate::backup::depth::Depth;
use crate::backup::error::Error;
use crate::backup::manifest::{self, Manifest};

/// Its name in the backup's directory.
pub const FILE: &str = "verification.json";
const VERSION: u8 = 1;

/// Whether the backup came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every table came back as it was.
    Verified,
    /// It did not come back, or not as it was.
    #[default]
    NotRestorable,
}

/// The newest proof of a backup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The form of the record.
    pub v: u8,
    /// The backup.
    pub id: String,
    /// The manifest's own hash: another manifest is another backup.
    pub manifest: String,
    /// What came of it.
    pub outcome: Outcome,
    /// RFC 3339.
    pub at: String,
    /// That proved it.
    pub run: String,
    /// Of the tool.
    pub tool_version: String,
    /// How much of each table was compared.
    pub depth: Option<Depth>,
    /// How many there are.
    pub tables: usize,
    /// In all tables, where they were counted.
    pub rows: Option<i64>,
    /// How long the data took to come back, ms.
    pub restore_ms: u64,
    /// How long the comparing took, ms.
    pub read_ms: u64,
    /// Of all of it, ms.
    pub duration_ms: u64,
    /// What could not be restored, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What is not data but computed from it, and came back with other values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub computed: Vec<String>,
    /// Extensions that can be created in a database of this very name alone: a restore, which builds beside the live
    /// database, can't bring them back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound: Vec<String>,
}

impl Verification {
    /// An empty one, of this moment.
    #[must_use]
    pub fn of(manifest: &Manifest, run: &str, tool_version: &str) -> Self {
        Verification {
            v: VERSION,
            id: manifest.id.clone(),
            manifest: manifest.hash.clone(),
            at: crate::clock::rfc3339(std::time::SystemTime::now()),
            run: run.to_owned(),
            tool_version: tool_version.to_owned(),
            tables: manifest.tables.len(),
            rows: manifest.rows(),
            ..Verification::default()
        }
    }

    /// Writes it beside the backup.
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        let document = serde_json::to_value(self).unwrap_or_default();
        let text = manifest::sealed(document).1;
        Ok(atomic_file::write(&directory.join(FILE), text.as_bytes())?)
    }

    /// The proof of this very manifest, if there is one that can be believed.
    #[must_use]
    pub fn read(directory: &Path, manifest: &Manifest) -> Option<Self> {
        Self::parse(&manifest::text_in(directory, FILE).ok()?, manifest)
    }

    /// The same of its text.
    #[must_use]
    pub fn parse(text: &str, manifest: &Manifest) -> Option<Self> {
        let document: Value = manifest::unsealed(text).ok()?.0;
        let read: Verification = serde_json::from_value(document).ok()?;
        (read.v == VERSION && read.manifest == manifest.hash && read.id == manifest.id).then_some(read)
    }

    /// Whether the backup came back.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.outcome == Outcome::Verified
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::synthetic::synthetic;

    #[test]
    fn a_proof_counts_for_the_manifest_that_it_was_made_of_and_only_unedited() {
        let root = tempfile::tempdir().unwrap();
        let (manifest, directory) = synthetic(root.path());
        assert_eq!(Verification::read(&directory, &manifest), None);
        let proof = Verification { outcome: Outcome::Verified, ..Verification::of(&manifest, "r", "0") };
        proof.write(&directory).unwrap();
        assert_eq!(Verification::read(&directory, &manifest), Some(proof));
        let other = Manifest { hash: "x".into(), ..manifest.clone() };
        assert_eq!(Verification::read(&directory, &other), None);
        let text = std::fs::read_to_string(directory.join(FILE)).unwrap();
        std::fs::write(directory.join(FILE), text.replace("\"tables\": 1", "\"tables\": 2")).unwrap();
        assert_eq!(Verification::read(&directory, &manifest), None);
    }
}
