//! What is sent: bytes, or a piece of a file that is never in memory as a whole.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use tg_core::Error;

/// Bytes hashed at a time.
const PIECE: usize = 256 * 1024;

/// The body of a request.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    None,
    Bytes(&'a [u8]),
    File { file: &'a File, path: &'a Path, start: u64, bytes: u64 },
}

impl<'a> Content<'a> {
    /// Its length in bytes, where there is a body at all.
    pub(super) fn bytes(&self) -> Option<u64> {
        match self {
            Content::None => None,
            Content::Bytes(bytes) => Some(bytes.len() as u64),
            Content::File { bytes, .. } => Some(*bytes),
        }
    }

    /// Its MD5 as the header `Content-MD5` has it. Every store compares it with what arrived, while
    /// few know the younger `x-amz-checksum-sha256`.
    pub(super) fn md5(&self) -> Result<String, Error> {
        let mut reader = self.reader();
        let mut hash = Md5::new();
        let mut piece = vec![0; PIECE];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return Ok(STANDARD.encode(hash.finalize())),
                Ok(n) => hash.update(&piece[..n]),
                Err(e) => return Err(reader.failure.unwrap_or_else(|| Error::file(Path::new(""), &e))),
            }
        }
    }

    pub(super) fn reader(&self) -> Reader<'a> {
        Reader { content: *self, at: 0, failure: None }
    }
}

/// Reads a content once.
pub(super) struct Reader<'a> {
    content: Content<'a>,
    at: u64,
    /// What is wrong with the file, if that is why reading failed.
    pub failure: Option<Error>,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.content {
            Content::None => 0,
            Content::Bytes(bytes) => {
                (&bytes[usize::try_from(self.at).unwrap_or(bytes.len())..]).read(buffer)?
            }
            Content::File { file, path, start, bytes } => {
                let left = usize::try_from(bytes - self.at).unwrap_or(usize::MAX);
                let most = buffer.len().min(left);
                read(file, &mut buffer[..most], start + self.at).inspect_err(|e| {
                    self.failure = Some(Error::file(path, e));
                })?
            }
        };
        self.at += n as u64;
        Ok(n)
    }
}

fn read(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    match file.read_at(buffer, at)? {
        0 if !buffer.is_empty() => Err(io::Error::other("it became shorter while it was read")),
        n => Ok(n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_file_is_what_lies_between_its_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "0123456789").unwrap();
        let file = File::open(&path).unwrap();
        let piece = Content::File { file: &file, path: &path, start: 3, bytes: 4 };
        let mut text = String::new();
        piece.reader().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), piece.bytes()), ("3456", Some(4)));
        assert_eq!(piece.md5().unwrap(), Content::Bytes(b"3456").md5().unwrap());
        // printf '' | openssl md5 -binary | base64
        assert_eq!(Content::Bytes(b"").md5().unwrap(), "1B2M2Y8AsgTpgAmY7PhCfg==");
    }

    #[test]
    fn a_file_that_shrinks_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "01").unwrap();
        let file = File::open(&path).unwrap();
        let error = Content::File { file: &file, path: &path, start: 0, bytes: 3 }.md5().unwrap_err();
        assert!(error.to_string().ends_with("f: it became shorter while it was read"), "{error}");
    }
}
