//! Sending files: whole, or in parts that become one object at the end.

use std::fs::File;
use std::path::Path;

use rusty_s3::S3Action;
use rusty_s3::actions::CreateMultipartUpload;
use ureq::http::HeaderMap;
use ureq::http::header::{CONTENT_LENGTH, ETAG};

use crate::s3::Bucket;
use crate::s3::content::Content;
use crate::s3::error::Error;
use crate::s3::parts;
use crate::s3::refusal::Refusal;
use crate::s3::retry::{Trouble, random};

/// Tells one upload from another, for the case that the answer to its last request is lost.
pub(super) const MARK: &str = "x-amz-meta-tg-upload";
/// The answers that we read are shorter, in bytes.
const LONGEST: u64 = 64 << 10;

/// A file on its way.
struct Upload<'u> {
    key: &'u str,
    file: &'u File,
    path: &'u Path,
    bytes: u64,
    id: String,
}

impl Bucket<'_> {
    /// Sends a file, which messages call by its path. A former object of this key is replaced when all has arrived, and not before.
    pub(crate) fn put(&self, key: &str, file: &File, path: &Path) -> Result<(), Error> {
        let key = self.full(key)?;
        let bytes = file.metadata().map_err(|e| tg_core::Error::file(path, &e))?.len();
        if bytes > parts::WHOLE {
            self.put_in_parts(Upload { key: &key, file, path, bytes, id: String::new() })?;
        } else {
            self.put_whole(&key, Content::File { file, path, start: 0, bytes })?;
        }
        self.confirm(&key, bytes)
    }

    /// Makes an object of what is in memory.
    pub(crate) fn put_bytes(&self, key: &str, bytes: &[u8]) -> Result<(), Error> {
        let key = self.full(key)?;
        self.put_whole(&key, Content::Bytes(bytes))?;
        self.confirm(&key, bytes.len() as u64)
    }

    fn put_whole(&self, key: &str, content: Content) -> Result<(), Error> {
        let mut action = self.requests.put_object(Some(&self.credentials), key);
        self.encrypt(&mut action);
        action.headers_mut().insert("content-md5", content.md5()?);
        self.ask(&self.named(key), &mut action, content, |_| Ok(()))
    }

    fn put_in_parts(&self, mut upload: Upload) -> Result<(), Error> {
        let mark = format!("{:016x}", random());
        upload.id = self.begin(upload.key, &mark)?;
        let sent =
            parts::cut(upload.bytes).zip(1..).map(|(part, number)| self.put_part(&upload, part, number));
        match sent.collect::<Result<Vec<_>, _>>().and_then(|etags| self.complete(&upload, &etags)) {
            Ok(()) => Ok(()),
            // The store had heard us, only its answer was lost.
            Err(e) if is_gone(&e) && self.has_mark(upload.key, &mark) => Ok(()),
            Err(e) => {
                // Parts of an upload that nobody ends are invisible, and paid for.
                self.at_last(|bucket| bucket.abort(&upload));
                Err(e)
            }
        }
    }

    fn begin(&self, key: &str, mark: &str) -> Result<String, Error> {
        let of = self.named(key);
        let mut action = self.requests.create_multipart_upload(Some(&self.credentials), key);
        self.encrypt(&mut action);
        action.headers_mut().insert(MARK, mark);
        let unreadable = |problem| Error::Unreadable { what: format!("POST {of}"), problem };
        let xml = self.ask(&of, &mut action, Content::Bytes(&[]), |mut response| {
            let text = response.body_mut().with_config().limit(LONGEST).read_to_string();
            text.map_err(|e| self.unreachable(&format!("POST {of}"), &e))
        })?;
        let answer = CreateMultipartUpload::parse_response(&xml).map_err(|e| unreadable(e.to_string()))?;
        Ok(answer.upload_id().to_owned())
    }

    /// Sends a part, and tells the tag that the store gave it.
    fn put_part(&self, upload: &Upload, (start, bytes): (u64, u64), number: u16) -> Result<String, Error> {
        let of = self.named(upload.key);
        let content = Content::File { file: upload.file, path: upload.path, start, bytes };
        let mut action = self.requests.upload_part(Some(&self.credentials), upload.key, number, &upload.id);
        action.headers_mut().insert("content-md5", content.md5()?);
        self.ask(&of, &mut action, content, |response| {
            header(response.headers(), ETAG.as_str()).ok_or_else(|| {
                let problem = "the store gave a part no ETag".into();
                Trouble::lasting(Error::Unreadable { what: format!("PUT {of}"), problem })
            })
        })
    }

    fn complete(&self, upload: &Upload, etags: &[String]) -> Result<(), Error> {
        let what = format!("POST {}", self.named(upload.key));
        let action = || {
            let etags = etags.iter().map(String::as_str);
            self.requests.complete_multipart_upload(Some(&self.credentials), upload.key, &upload.id, etags)
        };
        let body = action().body();
        self.ask(&self.named(upload.key), &mut action(), Content::Bytes(body.as_bytes()), |mut response| {
            let text = response.body_mut().with_config().limit(LONGEST).read_to_string();
            let xml = text.map_err(|e| self.unreachable(&what, &e))?;
            // Long work begins with 200 and blanks, and may fail after all.
            if xml.contains("<CompleteMultipartUploadResult") {
                Ok(())
            } else {
                Err(self.refused(&what, Refusal::parse(200, &xml)))
            }
        })
    }

    fn abort(&self, upload: &Upload) {
        let mut action =
            self.requests.abort_multipart_upload(Some(&self.credentials), upload.key, &upload.id);
        // What can't be aborted now is left to the bucket's own rules.
        let _ = self.ask(&self.named(upload.key), &mut action, Content::None, |_| Ok(()));
    }

    fn has_mark(&self, key: &str, mark: &str) -> bool {
        self.head(key).is_ok_and(|headers| header(&headers, MARK).as_deref() == Some(mark))
    }

    /// Compares what the store has with what was sent.
    fn confirm(&self, key: &str, expected: u64) -> Result<(), Error> {
        let what = format!("HEAD {}", self.named(key));
        let length = header(&self.head(key)?, CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
        match length {
            Some(found) if found == expected => Ok(()),
            Some(found) => Err(Error::Differs { what, expected, found }),
            None => Err(Error::Unreadable { what, problem: "the store tells no length".into() }),
        }
    }

    fn head(&self, key: &str) -> Result<HeaderMap, Error> {
        let mut action = self.requests.head_object(Some(&self.credentials), key);
        self.ask(&self.named(key), &mut action, Content::None, |response| Ok(response.headers().clone()))
    }

    fn encrypt<'s>(&'s self, action: &mut impl S3Action<'s>) {
        for (name, value) in &self.address.encryption {
            action.headers_mut().insert(*name, value.as_str());
        }
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Whether the store does not know the upload any more: it was completed, or aborted.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Answer { refusal, .. } if refusal.code == "NoSuchUpload")
}

#[cfg(test)]
mod tests;
