//! Files of an image, read without starting anything.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Component;

use bollard::query_parameters as query;
use futures_util::StreamExt;

use crate::Error;
use crate::container::RUN_LABEL;
use crate::engine::{ANSWER, Engine, absent};
use crate::job::Job;

/// How much of a directory is read, bytes: it comes from somebody else's image.
const MOST: usize = 16 << 20;
/// How much of one file is kept, bytes.
const MOST_OF_A_FILE: u64 = 256 << 10;

impl Engine {
    /// The regular files directly in a directory of an image on this host, by name; none where there
    /// is no such directory. A container is made for that, never started, and removed.
    pub fn texts_in(
        &self,
        image: &str,
        directory: &str,
        run: &str,
    ) -> Result<BTreeMap<String, String>, Error> {
        let job = Job {
            name: format!("tg-files-{}", run.to_lowercase()),
            image: image.to_owned(),
            // An image need not have a command, but a container must; it is never run.
            command: vec!["-".into()],
            network: "none".into(),
            labels: HashMap::from([(RUN_LABEL.into(), run.to_owned())]),
            ..Job::default()
        };
        self.remove_own(&job.name)?;
        let id = self.create(&job)?;
        let archive = self.archive(&id, directory);
        let removed = self.remove_own(&id);
        let texts = archive?.map(|bytes| texts(&bytes)).transpose()?.unwrap_or_default();
        removed?;
        Ok(texts)
    }

    fn archive(&self, id: &str, directory: &str) -> Result<Option<Vec<u8>>, Error> {
        // With the dot a link to a directory is followed.
        let path = format!("{}/.", directory.trim_end_matches('/'));
        let options = query::DownloadFromContainerOptionsBuilder::new().path(&path).build();
        let mut stream = self.docker.download_from_container(id, Some(options));
        absent(self.ask(ANSWER, async {
            let mut bytes = Vec::new();
            while let Some(chunk) = stream.next().await {
                bytes.extend_from_slice(&chunk?);
                if bytes.len() > MOST {
                    break;
                }
            }
            Ok(bytes)
        }))
    }
}

/// The regular files at the top of an archive; one that was cut short gives those that are whole.
fn texts(archive: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    let wrong = |e: std::io::Error| Error::Engine(format!("an archive can't be read: {e}"));
    let cut = archive.len() > MOST;
    let (mut texts, mut top) = (BTreeMap::new(), None);
    for entry in tar::Archive::new(archive).entries().map_err(wrong)? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(_) if cut => break,
            Err(e) => return Err(wrong(e)),
        };
        let path = entry.path().map_err(wrong)?.into_owned();
        let depth = path.components().filter(|c| matches!(c, Component::Normal(_))).count();
        // The directory itself comes first: as `.` or by its name, as the engine likes.
        let directly = depth == *top.get_or_insert(depth) + 1;
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        if let (Some(name), true, true) = (name, entry.header().entry_type().is_file(), directly) {
            let mut bytes = Vec::new();
            match entry.take(MOST_OF_A_FILE).read_to_end(&mut bytes) {
                Err(_) if cut => break,
                read => read.map_err(wrong)?,
            };
            texts.insert(name, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, kind, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn only_the_files_of_the_directory_itself_are_read() {
        for top in ["./", "releases/"] {
            let at = |name: &str| format!("{top}{name}");
            let bytes = archive(&[
                (top, tar::EntryType::Directory, ""),
                (&at("1.5.0.md"), tar::EntryType::Regular, "# notes"),
                (&at("old/1.0.0.md"), tar::EntryType::Regular, "# old"),
                (&at("latest.md"), tar::EntryType::Fifo, ""),
            ]);
            let found: Vec<_> = texts(&bytes).unwrap().into_iter().collect();
            assert_eq!(found, [("1.5.0.md".to_owned(), "# notes".to_owned())], "{top}");
        }
    }

    #[test]
    fn what_is_no_archive_is_an_error_and_no_empty_directory() {
        assert!(texts(&[7; 1024]).is_err());
    }
}
