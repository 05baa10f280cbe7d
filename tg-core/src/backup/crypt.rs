//! Backups that this host can write and not read: every file is encrypted for age recipients, whose
//! identities are kept elsewhere.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::str::FromStr;

use age::x25519::{Identity, Recipient};

use crate::Error as CoreError;
use crate::backup::error::Error;
use crate::backup::relative::Relative;
use crate::backup::tree::Tree;
use crate::project::Project;

/// What an encrypted file's name ends with.
pub const SUFFIX: &str = ".age";
const KEY: &str = "age_recipients";
const IDENTITY_KEY: &str = "age_identity_file";

/// Who can read what is written.
#[derive(Clone)]
pub struct Recipients(Vec<Recipient>);

/// Who we are, where this host may read after all.
#[derive(Clone, Default)]
pub struct Identities(Vec<Identity>);

impl Recipients {
    /// From `age_recipients`: recipients, or files that hold one a line; nothing where none is named.
    pub fn of(project: &Project) -> Result<Option<Self>, Error> {
        let settings = project.settings();
        let words = settings.list(&[], KEY, "")?;
        let mut all = Vec::new();
        for word in &words {
            let wrong = |problem: String| {
                let origin = settings.origin(KEY);
                Error::Core(CoreError::Setting { key: KEY.into(), origin, problem })
            };
            if word.starts_with("age1") {
                all.push(recipient(word).map_err(wrong)?);
            } else {
                let path = project.path(word);
                let text =
                    fs::read_to_string(&path).map_err(|e| wrong(format!("{}: {e}", path.display())))?;
                let before = all.len();
                for line in lines(&text) {
                    all.push(recipient(line).map_err(wrong)?);
                }
                if all.len() == before {
                    return Err(wrong(format!("{} has no recipient", path.display())));
                }
            }
        }
        Ok((!all.is_empty()).then_some(Recipients(all)))
    }

    /// Nobody yet.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Recipients(Vec::new())
    }

    /// As they are written.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// An identity that can read what is written from now on, as long as this process lives.
    pub fn with_ephemeral(&mut self) -> Identities {
        let identity = Identity::generate();
        self.0.push(identity.to_public());
        Identities(vec![identity])
    }

    /// Encrypts a content into a file; how many bytes the content has.
    pub(super) fn seal(&self, content: &mut dyn Read, file: File) -> io::Result<u64> {
        let recipients = self.0.iter().map(|r| r as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut writer = encryptor.wrap_output(BufWriter::new(file))?;
        let bytes = io::copy(content, &mut writer)?;
        // Without it the last piece is missing, and the file can't be decrypted.
        writer.finish()?.flush()?;
        Ok(bytes)
    }
}

impl Identities {
    /// From the flag, or `age_identity_file`; none where neither is given.
    pub fn of(project: &Project, flag: Option<&Path>) -> Result<Self, Error> {
        let here = std::env::current_dir().unwrap_or_default();
        let flag = flag.map(|path| here.join(path));
        let Some(path) = project.settings().get(flag, IDENTITY_KEY, |text| Ok(project.path(text)))? else {
            return Ok(Identities::default());
        };
        let wrong = |problem: String| CoreError::Setting {
            key: IDENTITY_KEY.into(),
            origin: path.display().to_string(),
            problem,
        };
        let text = fs::read_to_string(&path).map_err(|e| wrong(e.to_string()))?;
        // The error would repeat nothing of the line, and neither do we.
        let identity = |line| Identity::from_str(line).map_err(|_| wrong("a line is no age identity".into()));
        let all: Result<Vec<_>, _> = lines(&text).map(identity).collect();
        let all = all?;
        if all.is_empty() {
            return Err(wrong("it has no identity".into()).into());
        }
        Ok(Identities(all))
    }

    /// Whether this host can read nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The decrypted content of a file.
    pub(crate) fn reader(
        &self,
        tree: &Tree,
        path: &Relative,
    ) -> Result<Box<dyn Read + Send>, age::DecryptError> {
        let decryptor = age::Decryptor::new(BufReader::new(tree.file(path)?))?;
        Ok(Box::new(decryptor.decrypt(self.0.iter().map(|i| i as &dyn age::Identity))?))
    }
}

fn recipient(text: &str) -> Result<Recipient, String> {
    Recipient::from_str(text).map_err(|problem| format!("{text}: {problem}"))
}

/// As age's own files are read: one a line, `#` begins a comment.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "1.dat.age";

    fn sealed(recipients: &Recipients, content: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join(NAME)).unwrap();
        assert_eq!(recipients.seal(&mut &*content, file).unwrap(), content.len() as u64);
        dir
    }

    fn read(identities: &Identities, root: &Path) -> Result<Vec<u8>, age::DecryptError> {
        let (tree, path) = (Tree::open(root)?, Relative::parse(NAME).unwrap());
        let mut content = Vec::new();
        identities.reader(&tree, &path)?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn what_was_encrypted_is_read_by_its_recipients_alone() {
        let content = vec![7u8; 200_000];
        let mut recipients = Recipients(vec![Identity::generate().to_public()]);
        let ours = recipients.with_ephemeral();
        let dir = sealed(&recipients, &content);
        assert_eq!(read(&ours, dir.path()).unwrap(), content);
        let stranger = Identities(vec![Identity::generate()]);
        assert!(matches!(read(&stranger, dir.path()), Err(age::DecryptError::NoMatchingKeys)));
    }

    #[test]
    fn a_cut_file_is_not_decrypted() {
        let mut recipients = Recipients::none();
        let ours = recipients.with_ephemeral();
        let dir = sealed(&recipients, &vec![7; 200_000]);
        let path = dir.path().join(NAME);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(path.metadata().unwrap().len() - 100).unwrap();
        assert!(read(&ours, dir.path()).is_err());
    }
}
