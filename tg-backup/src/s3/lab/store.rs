//! What the tests share: the lab's bucket, files to send, and a look at memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusty_s3::S3Action;
use tempfile::TempDir;

use crate::s3::content::Content;
use crate::s3::{Bucket, Check, Credentials, retry};

pub(super) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; run scripts/lab/objects, then eval \"$(scripts/lab/objects env)\"")
    })
}

pub(super) fn credentials() -> Credentials {
    Credentials::lookup(|name| match name {
        "AWS_ACCESS_KEY_ID_FILE" => Some(variable("TG_LAB_S3_KEY_FILE")),
        "AWS_SECRET_ACCESS_KEY_FILE" => Some(variable("TG_LAB_S3_SECRET_FILE")),
        _ => None,
    })
    .unwrap()
}

/// A prefix of the test's own in the lab's bucket.
pub(super) fn url(name: &str) -> String {
    let (bucket, endpoint) = (variable("TG_LAB_S3_BUCKET"), variable("TG_LAB_S3_ENDPOINT"));
    format!("s3://{bucket}/{name}-{:016x}?endpoint={endpoint}", retry::random())
}

pub(super) fn bucket<'a>(name: &str, check: Check<'a>) -> Bucket<'a> {
    Bucket::open(&url(name), &credentials(), check).unwrap()
}

/// A file whose content repeats nowhere that parts could be mistaken for each other.
pub(super) fn file(dir: &TempDir, bytes: u64) -> PathBuf {
    let path = dir.path().join(format!("{bytes}"));
    let random = File::open("/dev/urandom").unwrap();
    io::copy(&mut random.take(bytes), &mut File::create(&path).unwrap()).unwrap();
    path
}

pub(super) fn same(a: &Path, b: &Path) -> bool {
    let hash = |path| {
        let file = File::open(path).unwrap();
        let bytes = file.metadata().unwrap().len();
        Content::File { file: &file, path, start: 0, bytes }.md5().unwrap()
    };
    hash(a) == hash(b)
}

/// How many uploads in parts were begun below the prefix, and neither completed nor aborted.
pub(super) fn unfinished_uploads(bucket: &Bucket) -> usize {
    let mut action = bucket.requests.list_objects_v2(Some(&bucket.credentials));
    action.with_prefix(bucket.address.prefix.as_str());
    action.query_mut().remove("list-type");
    action.query_mut().insert("uploads", "");
    let xml = bucket.ask("uploads", &mut action, Content::None, |mut response| {
        assert_eq!(response.status(), 200);
        Ok(response.body_mut().read_to_string().unwrap())
    });
    let xml = xml.unwrap();
    assert!(xml.contains("<ListMultipartUploadsResult"), "{xml}");
    xml.matches("<Upload>").count()
}

/// The most memory that this process has used so far, in bytes; forgotten when `reset`.
pub(super) fn peak_memory(reset: bool) -> u64 {
    if reset {
        fs::write("/proc/self/clear_refs", "5").unwrap();
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
