//! What can go wrong with an object store, with exit code and cure.

use tg_core::{Exit, Fault};

use crate::s3::refusal::Refusal;

/// `what` is the method and the object, never a signed URL: that would be as good as the secret for
/// a while.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file of ours, or the reason to give up.
    #[error(transparent)]
    Core(#[from] tg_core::Error),
    #[error("{what}: can't reach {place}: {problem}")]
    Unreachable { what: String, place: String, problem: String },
    #[error("{what}: refused: {refusal}")]
    Refused { what: String, refusal: Refusal },
    #[error("no bucket {0}")]
    NoBucket(String),
    #[error("{what}: no such object")]
    Missing { what: String },
    #[error("{what}: the store answered {refusal}")]
    Answer { what: String, refusal: Refusal },
    #[error("{what}: {problem}")]
    Unreadable { what: String, problem: String },
    #[error("{what}: the store has {found} bytes instead of {expected}")]
    Differs { what: String, expected: u64, found: u64 },
    #[error("{0:?} can't be the key of an object")]
    BadKey(String),
}

impl Error {
    pub(super) fn refused(what: &str, bucket: &str, refusal: Refusal) -> Self {
        let what = what.to_owned();
        match (refusal.status, refusal.code.as_str()) {
            (_, "NoSuchBucket") => Error::NoBucket(bucket.to_owned()),
            (404, "NoSuchKey") => Error::Missing { what },
            _ if refusal.is_about_us() => Error::Refused { what, refusal },
            _ => Error::Answer { what, refusal },
        }
    }
}

impl Fault for Error {
    fn exit(&self) -> Exit {
        match self {
            Error::Core(core) => core.exit(),
            Error::Unreachable { .. } | Error::Refused { .. } | Error::NoBucket(_) => Exit::Environment,
            Error::Answer { refusal, .. } if refusal.passes() || !refusal.is_s3() => Exit::Environment,
            Error::Answer { .. }
            | Error::Missing { .. }
            | Error::Unreadable { .. }
            | Error::Differs { .. }
            | Error::BadKey(_) => Exit::Unchanged,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Core(core) => core.code(),
            Error::Unreachable { .. } => "store-unreachable",
            Error::Refused { .. } => "store-refused",
            Error::NoBucket(_) => "no-bucket",
            Error::Missing { .. } => "no-object",
            Error::Answer { .. } => "store-failed",
            Error::Unreadable { .. } => "store-unreadable",
            Error::Differs { .. } => "upload-differs",
            Error::BadKey(_) => "bad-key",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Core(core) => return core.hint(),
            Error::Unreachable { place, .. } => {
                format!("check that {place} is up, that this host reaches it and trusts its certificate")
            }
            Error::Refused { refusal, .. } => cure(refusal),
            Error::NoBucket(_) => "create it, or check bucket, endpoint and region in the URL".into(),
            Error::Answer { refusal, .. } if refusal.passes() => {
                "wait, then run the same command again".into()
            }
            Error::Answer { refusal, .. } if !refusal.is_s3() => {
                "check the endpoint in the URL: an S3 store would say more".into()
            }
            Error::Differs { .. } => "run the same command again; if it stays so, look at the store".into(),
            Error::Missing { .. } | Error::Answer { .. } | Error::Unreadable { .. } | Error::BadKey(_) => {
                return None;
            }
        })
    }

    fn retryable(&self) -> bool {
        match self {
            Error::Core(core) => core.retryable(),
            Error::Unreachable { .. } => true,
            Error::Answer { refusal, .. } => refusal.passes(),
            _ => false,
        }
    }
}

/// What a person can do about a refusal.
fn cure(refusal: &Refusal) -> String {
    if let Some(skew) = refusal.skew {
        return format!("set this host's clock: it is {skew}");
    }
    match (refusal.code.as_str(), &refusal.region) {
        ("RequestTimeTooSkewed", _) => "set this host's clock: it is too far from the store's".into(),
        ("InvalidAccessKeyId", _) => "the store does not know this access key; check AWS_ACCESS_KEY_ID".into(),
        ("SignatureDoesNotMatch", _) => {
            "the secret does not belong to the access key, or the region is wrong; check AWS_SECRET_ACCESS_KEY"
                .into()
        }
        ("ExpiredToken" | "InvalidToken", _) => "get new credentials; check AWS_SESSION_TOKEN".into(),
        (_, Some(region)) => format!("write region={region} in the URL"),
        ("PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException", None) => {
            "write the bucket's own region or endpoint in the URL".into()
        }
        _ => "let this access key list the bucket, and read, write and delete objects in it".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::skew::Skew;

    fn refused(status: u16, code: &str) -> Error {
        Error::refused("GET s3://b/k", "b", Refusal { status, code: code.into(), ..Refusal::default() })
    }

    #[test]
    fn what_a_person_must_set_right_is_told_from_what_is_missing() {
        for (status, code) in
            [(403, ""), (400, "ExpiredToken"), (301, "PermanentRedirect"), (404, "NoSuchBucket")]
        {
            let error = refused(status, code);
            assert_eq!(error.exit(), Exit::Environment, "{error}");
            assert!(error.hint().is_some() && !error.retryable());
        }
        assert!(matches!(refused(404, "NoSuchKey"), Error::Missing { .. }));
        assert_eq!(refused(404, "").exit(), Exit::Environment, "no S3 store at all");
        assert_eq!(refused(404, "NoSuchUpload").exit(), Exit::Unchanged);
        assert!(refused(503, "SlowDown").retryable());
    }

    #[test]
    fn a_wrong_clock_is_named_whatever_the_store_calls_it() {
        let now = humantime::parse_rfc3339("2026-11-25T05:00:00Z").unwrap();
        let skew = Skew::find("Wed, 25 Nov 2026 03:00:00 GMT", now);
        let refusal = Refusal { status: 403, code: "AccessDenied".into(), skew, ..Refusal::default() };
        let hint = Error::refused("PUT s3://b/k", "b", refusal).hint().unwrap();
        assert_eq!(hint, "set this host's clock: it is 2h ahead of the store's");
        assert!(refused(403, "RequestTimeTooSkewed").hint().unwrap().contains("clock"));
    }

    #[test]
    fn a_region_that_the_store_told_is_handed_on() {
        let refusal = Refusal { status: 301, region: Some("eu-west-3".into()), ..Refusal::default() };
        let hint = Error::refused("GET s3://b/k", "b", refusal).hint().unwrap();
        assert_eq!(hint, "write region=eu-west-3 in the URL");
    }
}
