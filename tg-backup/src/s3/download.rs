//! Receiving objects, and going on where a connection broke.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusty_s3::S3Action;
use ureq::Body;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use ureq::http::{Response, StatusCode};

use crate::s3::Bucket;
use crate::s3::content::Content;
use crate::s3::error::Error;
use crate::s3::retry::{Trouble, retry};

/// Bytes read at a time.
const PIECE: usize = 256 * 1024;

/// A file on its way.
struct Download<'d> {
    path: &'d Path,
    file: File,
    /// Bytes that are in the file.
    have: u64,
    /// Bytes that the object has.
    total: Option<u64>,
    /// Bytes that it may have.
    most: u64,
    /// The object's tag: a new object of the same key is no continuation of the old one.
    etag: Option<String>,
}

impl Bucket<'_> {
    /// Writes an object of at most so many bytes to a new file, and makes it durable. Where that fails,
    /// there is no file.
    pub(crate) fn get(&self, key: &str, file: File, path: &Path, most: u64) -> Result<(), Error> {
        let key = self.full(key)?;
        let mut download = Download { path, file, have: 0, total: None, most, etag: None };
        self.fetch(&key, &mut download).inspect_err(|_| {
            let _ = fs::remove_file(path);
        })
    }

    /// An object of at most so many bytes; nothing where there is none.
    pub(crate) fn get_bytes(&self, key: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let key = self.full(key)?;
        let what = format!("GET {}", self.named(&key));
        let mut action = self.requests.get_object(Some(&self.credentials), &key);
        let read = self.ask(&self.named(&key), &mut action, Content::None, |mut response| {
            let bytes = response.body_mut().with_config().limit(most).read_to_vec();
            bytes.map_err(|e| match e {
                ureq::Error::BodyExceedsLimit(_) => {
                    unreadable(&what, format!("the object has more than {most} bytes"))
                }
                e => self.unreachable(&what, &e),
            })
        });
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Missing { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn fetch(&self, key: &str, download: &mut Download) -> Result<(), Error> {
        let of = self.named(key);
        retry(self.check, || {
            let before = download.have;
            let mut action = self.requests.get_object(Some(&self.credentials), key);
            if before > 0 {
                action.headers_mut().insert("range", format!("bytes={before}-"));
                if let Some(etag) = download.etag.clone() {
                    action.headers_mut().insert("if-match", etag);
                }
            }
            let taken =
                self.once(&of, &mut action, Content::None, |response| self.take(&of, download, response));
            taken.map_err(|trouble| trouble.after(download.have > before))
        })?;
        download.file.sync_all().map_err(|e| download.failed(&e).error)
    }

    /// Takes what a response has to give.
    fn take(&self, of: &str, download: &mut Download, response: Response<Body>) -> Result<(), Trouble> {
        let what = format!("GET {of}");
        let total = download.begin(&what, &response)?;
        let mut body = response.into_body().into_reader();
        let mut piece = vec![0; PIECE];
        while download.have < total {
            let n = body.read(&mut piece).map_err(|e| self.unreachable(&what, &e.into()))?;
            if n == 0 {
                let early = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Err(self.unreachable(&what, &early.into()));
            }
            download.file.write_all_at(&piece[..n], download.have).map_err(|e| download.failed(&e))?;
            download.have += n as u64;
        }
        Ok(())
    }
}

impl Download<'_> {
    /// Compares a response with what we have, and tells how many bytes the object has.
    fn begin(&mut self, what: &str, response: &Response<Body>) -> Result<u64, Trouble> {
        let header = |name| response.headers().get(name)?.to_str().ok();
        let start = match response.status() {
            StatusCode::PARTIAL_CONTENT => header(CONTENT_RANGE).and_then(range_start),
            _ => Some(0),
        };
        let length: Option<u64> = header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let (Some(start), Some(length)) = (start, length) else {
            return Err(unreadable(what, "the store does not tell what it sends".into()));
        };
        if start != self.have {
            if start != 0 {
                return Err(unreadable(
                    what,
                    format!("the store sent byte {start} instead of {}", self.have),
                ));
            }
            // A store that knows no ranges begins anew.
            self.file.set_len(0).map_err(|e| self.failed(&e))?;
            self.have = 0;
        }
        let Some(total) = start.checked_add(length).filter(|total| *total <= self.most) else {
            return Err(unreadable(what, format!("the object has more than {} bytes", self.most)));
        };
        if self.total.is_some_and(|before| before != total) {
            return Err(unreadable(what, "the object was replaced while it was read".into()));
        }
        self.total = Some(total);
        // A weak tag never matches.
        self.etag = header(ETAG).filter(|etag| !etag.starts_with("W/")).map(str::to_owned);
        Ok(total)
    }

    fn failed(&self, error: &std::io::Error) -> Trouble {
        Trouble::lasting(tg_core::Error::file(self.path, error))
    }
}

/// Where `bytes 100-199/200` begins.
fn range_start(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn unreadable(what: &str, problem: String) -> Trouble {
    Trouble::lasting(Error::Unreadable { what: what.to_owned(), problem })
}

#[cfg(test)]
mod tests;
