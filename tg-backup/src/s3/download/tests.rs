use super::*;
use crate::s3::fake::{Fake, never};
use std::time::{Duration, Instant};

fn new(path: &Path) -> File {
    File::create_new(path).unwrap()
}

/// Answers with the beginning of a body of this length, and breaks off.
fn part(head: &str, length: usize, body: &str) -> String {
    format!("{head}\r\nETag: \"e\"\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let fake = Fake::new([
        part("200 OK", 10, "0123"),
        String::new(),
        part("206 Partial Content\r\nContent-Range: bytes 4-9/10", 6, "45"),
        part("206 Partial Content\r\nContent-Range: bytes 6-9/10", 4, "6789"),
    ]);
    fake.bucket(&never).get("k", new(&path), &path, u64::MAX).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "0123456789");
    let asked = fake.asked();
    let ranges: Vec<_> = asked.iter().map(|asked| asked.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=4-"), Some("bytes=4-"), Some("bytes=6-")]);
    assert_eq!(asked[3].header("if-match"), Some("\"e\""));
}

#[test]
fn a_store_without_ranges_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let fake = Fake::new([part("200 OK", 4, "xx"), part("200 OK", 4, "0123")]);
    fake.bucket(&never).get("k", new(&path), &path, u64::MAX).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "0123");
}

#[test]
fn an_object_that_was_replaced_meanwhile_is_no_continuation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let other = part("206 Partial Content\r\nContent-Range: bytes 2-8/9", 7, "2345678");
    let fake = Fake::new([part("200 OK", 4, "01"), other]);
    let error = fake.bucket(&never).get("k", new(&path), &path, u64::MAX).unwrap_err();
    assert!(error.to_string().contains("replaced"), "{error}");
    assert!(!path.exists(), "half a file could be taken for a whole one");
}

#[test]
fn a_missing_object_is_nothing_or_an_error_as_the_caller_asks() {
    let missing = || Fake::error("404 Not Found", "NoSuchKey", "x");
    let fake = Fake::new([missing(), missing()]);
    let bucket = fake.bucket(&never);
    assert_eq!(bucket.get_bytes("k", 10).unwrap(), None);
    let dir = tempfile::tempdir().unwrap();
    let error = bucket.get("k", new(&dir.path().join("f")), &dir.path().join("f"), u64::MAX).unwrap_err();
    assert_eq!(error.to_string(), "GET s3://b/p/k: no such object");
}

#[test]
fn what_is_read_into_memory_is_bounded_and_whole() {
    let fake =
        Fake::new([Fake::answer("200 OK", "0123"), part("200 OK", 4, "01"), Fake::answer("200 OK", "0123")]);
    let bucket = fake.bucket(&never);
    let error = bucket.get_bytes("k", 3).unwrap_err();
    assert!(error.to_string().contains("more than 3 bytes"), "{error}");
    assert_eq!(bucket.get_bytes("k", 4).unwrap().as_deref(), Some(&b"0123"[..]));
}

#[test]
fn a_silent_store_does_not_hold_up_whoever_gives_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let begun = Instant::now();
    let check = || {
        if begun.elapsed() > Duration::from_millis(300) { Err(tg_core::Error::Interrupted) } else { Ok(()) }
    };
    let url = format!("s3://b?endpoint=http://{}", silent.local_addr().unwrap());
    let bucket = Bucket::open(&url, &crate::s3::Credentials::fake(), &check).unwrap();
    let error = bucket.get_bytes("k", 3).unwrap_err();
    assert!(matches!(error, Error::Core(tg_core::Error::Interrupted)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_web_server_of_another_kind_is_not_taken_for_a_store_without_the_object() {
    let fake = Fake::new([Fake::answer("404 Not Found", "<html>nothing here</html>")]);
    let error = fake.bucket(&never).get_bytes("k", 10).unwrap_err();
    assert_eq!(error.to_string(), "GET s3://b/p/k: the store answered 404");
    assert!(tg_core::Fault::hint(&error).unwrap().contains("endpoint"));
}

#[test]
fn an_object_that_is_larger_than_it_may_be_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let fake = Fake::new([part("200 OK", 4, "0123")]);
    let error = fake.bucket(&never).get("k", new(&path), &path, 3).unwrap_err();
    assert!(error.to_string().contains("more than 3 bytes"), "{error}");
    assert!(!path.exists());
}
