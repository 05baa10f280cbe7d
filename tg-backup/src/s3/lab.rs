//! Tests against a real store: `scripts/lab/objects`, then `eval "$(scripts/lab/objects env)"`.

mod store;

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use store::{bucket, credentials, file, peak_memory, same, unfinished_uploads, url, variable};
use tg_core::{Exit, Fault};

use crate::s3::fake::never;
use crate::s3::listing::Object;
use crate::s3::{Bucket, Credentials, Error};

/// A little more than four parts.
const LARGE: u64 = 70_000_000;
/// What a transfer may add to this process's memory at most, in bytes: less than one part.
const MEMORY: u64 = 16 << 20;

#[test]
fn what_was_put_is_listed_got_and_deleted_whatever_its_name() {
    let bucket = bucket("names", &never);
    let names = [
        "plain",
        "with space",
        "a+b",
        "ü/ñ 漢字",
        "100%",
        "q?a=b&c#d",
        "quote'\"<>",
        "deep/er/est",
        "~_-.!*()",
    ];
    for name in names {
        bucket.put_bytes(name, name.as_bytes()).unwrap();
        assert_eq!(bucket.get_bytes(name, 100).unwrap().as_deref(), Some(name.as_bytes()), "{name}");
    }
    let listing = bucket.list("", None).unwrap();
    let found: BTreeSet<_> = listing.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(found, BTreeSet::from(names));
    assert!(listing.objects.iter().all(|object| object.bytes == object.key.len() as u64));
    let top = bucket.list("", Some("/")).unwrap();
    assert_eq!(top.prefixes, ["deep/", "ü/"]);
    assert_eq!(top.objects.len(), names.len() - 2);
    assert_eq!(bucket.list("deep/", Some("/")).unwrap().prefixes, ["deep/er/"]);
    let mut keys: Vec<String> = names.map(str::to_owned).to_vec();
    keys.push("never there".into());
    bucket.delete(&keys).unwrap();
    assert_eq!(bucket.list("", None).unwrap().objects, []);
}

#[test]
fn a_large_file_goes_and_comes_in_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (path, back) = (file(&dir, LARGE), dir.path().join("back"));
    let bucket = bucket("large", &never);
    bucket.put_bytes("warm up", b"").unwrap();
    let before = peak_memory(true);
    bucket.put("large", &fs::File::open(&path).unwrap(), &path).unwrap();
    bucket.get("large", fs::File::create(&back).unwrap(), &back, u64::MAX).unwrap();
    // Other tests run at the same time, but none of them needs much.
    let grown = peak_memory(false) - before;
    assert!(grown < MEMORY, "{grown} bytes");
    assert!(same(&path, &back));
    assert_eq!(bucket.list("large", None).unwrap().objects, [Object { key: "large".into(), bytes: LARGE }]);
    bucket.delete(&["large".into(), "warm up".into()]).unwrap();
}

#[test]
fn files_at_the_edges_come_back_as_they_were_and_replace_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = bucket("edges", &never);
    for bytes in [1, 0, 65_536, 65_537, 5_000_000] {
        let (path, back) = (file(&dir, bytes), dir.path().join("back"));
        bucket.put("same key", &fs::File::open(&path).unwrap(), &path).unwrap();
        bucket.get("same key", fs::File::create(&back).unwrap(), &back, u64::MAX).unwrap();
        assert!(same(&path, &back), "{bytes} bytes");
    }
    bucket.delete(&["same key".into()]).unwrap();
    assert_eq!(bucket.get_bytes("same key", 9).unwrap(), None);
    let error = bucket
        .get(
            "same key",
            fs::File::create(dir.path().join("none")).unwrap(),
            &dir.path().join("none"),
            u64::MAX,
        )
        .unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    assert!(!dir.path().join("none").exists());
}

#[test]
fn an_object_that_the_store_encrypts_comes_back_as_it_was() {
    let bucket = Bucket::open(&format!("{}&sse=AES256", url("sse")), &credentials(), &never).unwrap();
    bucket.put_bytes("k", b"content").unwrap();
    assert_eq!(bucket.get_bytes("k", 7).unwrap().as_deref(), Some(&b"content"[..]));
    bucket.delete(&["k".into()]).unwrap();
}

#[test]
fn a_wrong_secret_is_refused_at_once_and_before_anything_is_sent() {
    let key = fs::read_to_string(variable("TG_LAB_S3_KEY_FILE")).unwrap();
    let wrong = |key: &str| {
        let pick = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some(key.to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("hunter2hunter2".to_owned()),
            _ => None,
        };
        Credentials::lookup(pick).unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, 50_000_000);
    for (key, code) in [(key.as_str(), "SignatureDoesNotMatch"), ("nobody", "InvalidAccessKeyId")] {
        let bucket = Bucket::open(&url("wrong"), &wrong(key), &never).unwrap();
        for error in [
            bucket.put("k", &fs::File::open(&path).unwrap(), &path),
            bucket.list("", None).map(drop),
            bucket.put_bytes("k", b"x"),
        ] {
            let error = error.unwrap_err();
            assert!(matches!(&error, Error::Refused { refusal, .. } if refusal.code == code), "{error}");
            assert_eq!(error.exit(), Exit::Environment);
        }
    }
}

#[test]
fn a_bucket_that_is_not_there_is_named() {
    let url = format!("s3://no-such-bucket/p?endpoint={}", variable("TG_LAB_S3_ENDPOINT"));
    let bucket = Bucket::open(&url, &credentials(), &never).unwrap();
    for error in
        [bucket.put_bytes("k", b"x"), bucket.list("", None).map(drop), bucket.get_bytes("k", 9).map(drop)]
    {
        assert_eq!(error.unwrap_err().to_string(), "no bucket no-such-bucket");
    }
}

#[test]
fn a_list_of_more_than_a_page_is_complete() {
    let bucket = bucket("pages", &never);
    let keys: Vec<String> = (0..1050).map(|i| format!("d/{i:04}")).collect();
    thread::scope(|scope| {
        for some in keys.chunks(keys.len().div_ceil(8)) {
            let bucket = &bucket;
            scope.spawn(move || some.iter().for_each(|key| bucket.put_bytes(key, b"x").unwrap()));
        }
    });
    let listing = bucket.list("", None).unwrap();
    assert!(listing.objects.iter().map(|object| &object.key).eq(&keys), "{}", listing.objects.len());
    assert_eq!(bucket.list("", Some("/")).unwrap().prefixes, ["d/"]);
    thread::scope(|scope| {
        for some in keys.chunks(keys.len().div_ceil(8)) {
            let bucket = &bucket;
            scope.spawn(move || bucket.delete(some).unwrap());
        }
    });
    assert_eq!(bucket.list("", None).unwrap().objects, []);
}

#[test]
fn whoever_gives_up_in_the_middle_leaves_no_object_and_no_parts() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, 3 * LARGE);
    let begun = Instant::now();
    // In the middle of the parts, and most likely of one part.
    let over = || begun.elapsed() > Duration::from_millis(300);
    let check = || if over() { Err(tg_core::Error::Interrupted) } else { Ok(()) };
    let giving_up = bucket("given-up", &check);
    let error = giving_up.put("k", &fs::File::open(&path).unwrap(), &path).unwrap_err();
    assert!(matches!(error, Error::Core(tg_core::Error::Interrupted)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let bucket = giving_up.checked_by(&never);
    assert_eq!(bucket.list("", None).unwrap().objects, []);
    assert_eq!(unfinished_uploads(&bucket), 0);
}
