//! Where release notes are found: in the project's directory, else in the target's image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tg_core::Error;
use tg_core::engine::Engine;
use tg_core::image_config::ImageConfig;
use tg_core::project::Project;
use tg_core::version::parse;

use crate::error::SwapError;
use crate::notes::Notes;

/// Where the notes lie, below the project's directory and below the image's working directory.
const DIRECTORY: &str = "docs/releases";
/// How much of one file is read, bytes.
const MOST: usize = 256 << 10;

/// The notes that were found, by version as their files are named.
pub(crate) struct Library {
    notes: BTreeMap<String, Notes>,
}

impl Library {
    /// Reads the project's notes, and those of the image where the project has none of the target.
    pub(crate) fn open(
        project: &Project,
        engine: &Engine,
        run: &str,
        to: &str,
        image: Option<(&str, &ImageConfig)>,
    ) -> Result<Self, SwapError> {
        let mut library = Library { notes: BTreeMap::new() };
        let directory = directory(project)?;
        for (name, text) in files(&directory)? {
            let file = directory.strip_prefix(&project.directory).unwrap_or(&directory).join(&name);
            library.add(&name, &file.display().to_string(), &text);
        }
        if let Some((id, config)) = image
            && library.of(to).is_none()
        {
            let inside = format!("{}/{DIRECTORY}", config.directory.trim_end_matches('/'));
            for (name, text) in engine.texts_in(id, &inside, run)? {
                library.add(&name, &format!("image:{inside}/{name}"), &text);
            }
        }
        Ok(library)
    }

    /// The versions, in no order.
    pub(crate) fn versions(&self) -> impl Iterator<Item = &str> {
        self.notes.keys().map(String::as_str)
    }

    /// The notes of a release.
    pub(crate) fn of(&self, version: &str) -> Option<&Notes> {
        self.notes.get(version).or_else(|| {
            let wanted = parse(version)?;
            self.notes.iter().find(|(name, _)| parse(name).as_ref() == Some(&wanted)).map(|(_, notes)| notes)
        })
    }

    /// What is there already stays: the project's own copy is the one that people edit.
    fn add(&mut self, name: &str, file: &str, text: &str) {
        if let Some(version) = name.strip_suffix(".md")
            && self.of(version).is_none()
        {
            self.notes.insert(version.to_owned(), Notes::parse(file, text));
        }
    }
}

fn directory(project: &Project) -> Result<PathBuf, Error> {
    let named = project.settings().get(None, "release_notes", |text| {
        let path = project.path(text);
        if path.is_dir() { Ok(path) } else { Err(format!("no directory {}", path.display())) }
    })?;
    Ok(named.unwrap_or_else(|| project.path(DIRECTORY)))
}

/// The files of a directory with their texts; none where there is no such directory.
fn files(directory: &Path) -> Result<Vec<(String, String)>, Error> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::file(directory, &e)),
    };
    let mut files = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        if path.is_file() && path.extension().is_some_and(|e| e == "md") {
            let mut bytes = std::fs::read(&path).map_err(|e| Error::file(&path, &e))?;
            bytes.truncate(MOST);
            files.push((name.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_markdown_is_read_and_no_directory_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("1.5.0.md"), "# 1.5.0").unwrap();
        std::fs::write(dir.path().join("1.5.0.html"), "x").unwrap();
        std::fs::create_dir(dir.path().join("old.md")).unwrap();
        assert_eq!(files(dir.path()).unwrap(), [("1.5.0.md".to_owned(), "# 1.5.0".to_owned())]);
        assert!(files(&dir.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn the_first_copy_stays_and_a_spelling_with_v_is_the_same_release() {
        let mut library = Library { notes: BTreeMap::new() };
        library.add("v1.5.0.md", "project", "# first");
        library.add("1.5.0.md", "image", "# second");
        assert_eq!(library.of("1.5.0").unwrap().file, "project");
        assert!(library.of("1.6.0").is_none());
    }
}
