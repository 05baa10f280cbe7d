//! The file of acknowledged writes: `feature ID` or `job ID`, one a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::mix::Kind;

/// The word that stands for a kind of write.
pub(crate) fn word(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Post => Some("feature"),
        Kind::Job => Some("job"),
        Kind::Get | Kind::Slow => None,
    }
}

/// Writes acknowledged ids as they come.
#[derive(Debug)]
pub(crate) struct AckedFile {
    file: BufWriter<File>,
}

impl AckedFile {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: BufWriter::new(file) })
    }

    pub(crate) fn add(&mut self, word: &str, id: &str) -> std::io::Result<()> {
        writeln!(self.file, "{word} {id}")
    }

    /// On disk, or an error: a list that lost its end would hide lost writes.
    pub(crate) fn close(self) -> Result<()> {
        let file = self.file.into_inner()?;
        file.sync_all()?;
        Ok(())
    }
}

/// The lines of such a file as `word<TAB>id`, for COPY. Anything else in it is an error, because it goes to a database.
pub(crate) fn to_copy(text: &str) -> Result<String> {
    let mut rows = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        match line.split_once(' ') {
            Some((word @ ("feature" | "job"), id)) if is_uuid(id) => {
                rows.push_str(word);
                rows.push('\t');
                rows.push_str(id);
                rows.push('\n');
            }
            _ => bail!("line {} is not an acknowledged write", number + 1),
        }
    }
    Ok(rows)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    #[test]
    fn acknowledged_writes_become_rows() {
        let rows = to_copy(&format!("feature {ID}\njob {ID}\n")).expect("valid");
        assert_eq!(rows, format!("feature\t{ID}\njob\t{ID}\n"));
    }

    #[test]
    fn anything_else_is_refused() {
        for line in ["\\.", "feature", "other 1", "feature x", ""] {
            assert!(to_copy(&format!("{line}\n")).is_err(), "{line}");
        }
        assert!(to_copy(&format!("feature {ID}\\.\n")).is_err());
    }
}
