//! The Bearer token: read from a file, kept out of every output.

use std::path::Path;

use crate::Error;

/// Who named the token's file: that decides whose mistake a bad one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `--token-file`.
    Flag,
    /// The environment or the compose file.
    Setting,
}

/// A token. It has no `Debug` and no `Display`, so that it can't be printed by accident.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// For the redactor and the request.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

/// Reads the token; white space around it is the editor's.
pub fn read(path: &Path, origin: Origin) -> Result<Token, Error> {
    let wrong = |problem: String| match origin {
        Origin::Flag => Error::Usage {
            problem: format!("--token-file {}: {problem}", path.display()),
            hint: "name a file that holds nothing but the token".into(),
        },
        Origin::Setting => {
            Error::Setting { key: "health_token_file".into(), origin: path.display().to_string(), problem }
        }
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(wrong("the file is empty".into()));
    }
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("a token is one word of printable ASCII".into()));
    }
    Ok(Token(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exit, Fault};

    #[test]
    fn a_bad_file_is_wrong_usage_by_flag_and_bad_configuration_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        for content in ["", "two words", "ü"] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(read(&file, Origin::Flag).err().unwrap().exit(), Exit::Usage, "{content:?}");
            assert_eq!(read(&file, Origin::Setting).err().unwrap().exit(), Exit::Environment);
        }
        std::fs::write(&file, "s3cret\n").unwrap();
        assert_eq!(read(&file, Origin::Flag).unwrap().secret(), "s3cret");
    }
}
