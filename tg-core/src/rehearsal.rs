//! What a rehearsal of a migration has found, as far as others than its maker rely on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;
use crate::backup::manifest::unsealed;
use crate::state::State;
use crate::truth::Truth;

/// Where verdicts are kept, in the state directory.
const DIRECTORY: &str = "rehearsals";
/// The conclusion that lets two releases share a schema.
const PROVEN: &str = "proven";

/// A verdict; `tg-migrate rehearse` writes more of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Rehearsal {
    /// RFC 3339.
    pub created: String,
    /// The release that was migrated to, as a tag.
    pub to: String,
    /// Image identifiers by service, of the release that is to go on beside it.
    pub images_from: BTreeMap<String, String>,
    /// Its own.
    pub images_to: BTreeMap<String, String>,
    /// `proven`, `no-counterexample`, `broken`, `unknown`.
    pub conclusion: String,
    /// Whether it reached no server but its own; one that does not say so is not known to.
    #[serde(default)]
    pub isolated: Truth,
    /// Why.
    pub reasons: Vec<String>,
}

impl Rehearsal {
    /// The newest of a release.
    pub fn newest(state: &State, to: &str) -> Result<Option<Self>, Error> {
        Ok(Self::newest_file(state, to)?.map(|(_, rehearsal)| rehearsal))
    }

    /// The same, and where it is. An older one says nothing where a newer file can't be believed: it may be of this
    /// release, and say otherwise.
    pub fn newest_file(state: &State, to: &str) -> Result<Option<(PathBuf, Self)>, Error> {
        let directory = directory(state);
        let failed = |e: std::io::Error| Error::file(&directory, &e);
        let entries = match std::fs::read_dir(&directory) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(failed)?,
        };
        let mut newest: Option<(PathBuf, Self)> = None;
        let mut unread = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            match read(&path) {
                Ok(found) if found.to != to => {}
                Ok(found) if newest.as_ref().is_some_and(|(_, known)| known.created >= found.created) => {}
                Ok(found) => newest = Some((path, found)),
                Err(problem) => unread.push((path, problem)),
            }
        }
        let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
        let known = newest.as_ref().and_then(|(path, _)| changed(path));
        match unread.into_iter().find(|(path, _)| known.is_none() || changed(path) >= known) {
            None => Ok(newest),
            Some((path, problem)) => {
                let hint = "remove it, then rehearse again: tg-migrate rehearse".into();
                Err(Error::Form { path, problem, hint })
            }
        }
    }

    /// Whether the release before it was shown to go on with its schema.
    #[must_use]
    pub fn proves(&self) -> bool {
        self.conclusion == PROVEN && self.isolated.is_yes()
    }

    /// Whether it is about this image of a service of the new release; one that it does not know is another.
    #[must_use]
    pub fn is_to(&self, service: &str, image: &str) -> bool {
        self.images_to.get(service).is_some_and(|known| known == image)
    }

    /// The same of the old release.
    #[must_use]
    pub fn is_from(&self, service: &str, image: &str) -> bool {
        self.images_from.get(service).is_some_and(|known| known == image)
    }
}

fn read(path: &Path) -> Result<Rehearsal, String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let (document, _) = unsealed(&text)?;
    Rehearsal::deserialize(document).map_err(|e| e.to_string())
}

/// Where verdicts of a project are kept.
#[must_use]
pub fn directory(state: &State) -> PathBuf {
    state.root().join(DIRECTORY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::manifest::sealed;
    use serde_json::json;

    #[test]
    fn the_newest_of_a_release_counts_and_an_edited_one_lets_no_older_one_speak() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(dir.path().to_owned());
        std::fs::create_dir(directory(&state)).unwrap();
        let write = |name: &str, created: &str, conclusion: &str| {
            let images = json!({"api": "sha256:1"});
            let document = json!({"created": created, "to": "2", "images_from": {"api": "sha256:0"}, "images_to": images, "conclusion": conclusion, "isolated": true, "reasons": [], "more": 1});
            let path = directory(&state).join(name);
            std::fs::write(&path, sealed(document).1).unwrap();
            path
        };
        assert_eq!(Rehearsal::newest(&state, "2").unwrap(), None);
        write("b.json", "2026-01-01T00:00:00Z", "broken");
        let newest = write("a.json", "2026-01-02T00:00:00Z", "proven");
        let found = Rehearsal::newest(&state, "2").unwrap().unwrap();
        assert!(found.proves() && found.is_to("api", "sha256:1") && !found.is_to("worker", "sha256:1"));
        assert!(found.is_from("api", "sha256:0") && !found.is_from("api", "sha256:1"));
        assert!(!Rehearsal { isolated: Truth::default(), ..found }.proves(), "where it ran is not known");
        assert_eq!(Rehearsal::newest(&state, "3").unwrap(), None);
        std::fs::write(directory(&state).join("a.json.kept"), "no verdict").unwrap();
        let text = std::fs::read_to_string(&newest).unwrap();
        std::fs::write(&newest, text.replace("\"more\": 1", "\"more\": 2")).unwrap();
        assert!(Rehearsal::newest(&state, "2").is_err());
        std::fs::remove_file(&newest).unwrap();
        assert!(!Rehearsal::newest(&state, "2").unwrap().unwrap().proves());
    }
}
