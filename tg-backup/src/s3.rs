//! A bucket of an S3 object store: AWS, MinIO, Ceph, SeaweedFS, Garage and their like. Requests are
//! signed by `rusty_s3` and sent by `ureq`; whatever may pass is tried again.

mod address;
mod content;
mod credentials;
mod download;
mod error;
mod exchange;
#[cfg(test)]
mod fake;
#[cfg(test)]
#[cfg(feature = "lab")]
mod lab;
mod listing;
mod parts;
mod refusal;
mod retry;
mod skew;
mod upload;
mod watch;

use std::time::Duration;

use tg_core::deadline::Deadline;
use ureq::Agent;

use crate::s3::address::Address;
use crate::s3::content::Content;
pub(crate) use crate::s3::credentials::Credentials;
pub(crate) use crate::s3::error::Error;
pub(crate) use crate::s3::watch::Check;

/// How long cleaning up may take after we were told to stop.
const LAST_WORD: Duration = Duration::from_secs(5);

/// A bucket, and a prefix in it below which all keys are.
///
/// Every method blocks, ends soon after the check says so, and may be called from several threads.
pub(crate) struct Bucket<'a> {
    address: Address,
    /// What makes requests that can be signed.
    requests: rusty_s3::Bucket,
    credentials: rusty_s3::Credentials,
    agent: Agent,
    check: Check<'a>,
}

impl<'a> Bucket<'a> {
    /// A bucket by its URL, with nothing asked yet. The check is asked again and again whether to go on;
    /// when it fails, this bucket's connections are closed for good.
    pub(crate) fn open(url: &str, credentials: &Credentials, check: Check<'a>) -> Result<Self, String> {
        let address = Address::parse(url)?;
        let requests = address.bucket()?;
        let agent = exchange::agent(&address, exchange::IDLE);
        Ok(Bucket { address, requests, credentials: credentials.for_signing(), agent, check })
    }

    /// The same bucket for somebody who gives up for other reasons, such as a clean-up after Ctrl-C.
    pub(crate) fn checked_by<'b>(&self, check: Check<'b>) -> Bucket<'b> {
        Bucket {
            address: self.address.clone(),
            requests: self.requests.clone(),
            credentials: self.credentials.clone(),
            agent: exchange::agent(&self.address, exchange::IDLE),
            check,
        }
    }

    /// Removes objects; one that is gone already is no error.
    pub(crate) fn delete(&self, keys: &[String]) -> Result<(), Error> {
        for key in keys {
            let key = self.full(key)?;
            let mut action = self.requests.delete_object(Some(&self.credentials), &key);
            match self.ask(&self.named(&key), &mut action, Content::None, |_| Ok(())) {
                Ok(()) | Err(Error::Missing { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Does something last although we were told to stop, in a few seconds or not at all.
    fn at_last(&self, work: impl FnOnce(&Bucket<'_>)) {
        let deadline = Deadline::after(Some(LAST_WORD));
        let check = || if deadline.passed() { Err(deadline.error("cleaning up")) } else { Ok(()) };
        work(&self.checked_by(&check));
    }

    /// A key with the prefix before it. URLs have no way to say an empty, `.` or `..` step of a path.
    fn full(&self, key: &str) -> Result<String, Error> {
        if key.split('/').any(|step| matches!(step, "" | "." | "..")) {
            return Err(Error::BadKey(key.to_owned()));
        }
        Ok(format!("{}{key}", self.address.prefix))
    }

    /// A key as messages have it.
    fn named(&self, full: &str) -> String {
        format!("s3://{}/{full}", self.address.name)
    }
}

impl std::fmt::Debug for Bucket<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::fake::{Fake, never};

    #[test]
    fn a_key_can_not_lead_out_of_the_prefix() {
        let bucket = Bucket::open("s3://b/p", &Credentials::fake(), &never).unwrap();
        assert_eq!(bucket.full("a/b c").unwrap(), "p/a/b c");
        for key in ["", "/a", "a/", "a//b", "../a", "a/./b"] {
            assert!(matches!(bucket.full(key), Err(Error::BadKey(_))), "{key}");
        }
    }

    #[test]
    fn what_is_gone_already_counts_as_deleted() {
        let gone = Fake::error("404 Not Found", "NoSuchKey", "x");
        let fake = Fake::new(["204 No Content\r\n\r\n".into(), gone]);
        fake.bucket(&never).delete(&["a".into(), "b".into()]).unwrap();
        assert_eq!(fake.lines(), ["DELETE /b/p/a", "DELETE /b/p/b"]);
    }

    #[test]
    fn a_missing_bucket_is_an_error_even_for_a_delete() {
        let fake = Fake::new([Fake::error("404 Not Found", "NoSuchBucket", "no")]);
        let error = fake.bucket(&never).delete(&["a".into()]).unwrap_err();
        assert!(matches!(error, Error::NoBucket(_)), "{error}");
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let bucket = Bucket::open("s3://b/p", &Credentials::fake(), &never).unwrap();
        let text = format!("{bucket:?} {:?}", Credentials::fake());
        assert!(!text.contains("SECRET") && !text.contains("TOKEN"), "{text}");
    }
}
