use super::*;
use crate::s3::fake::{Fake, never};
use tg_core::Fault;

const DONE: &str = "200 OK\r\nContent-Length: 0\r\nETag: \"e\"\r\nConnection: close\r\n\r\n";
const BEGUN: &str = "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <UploadId>u&amp;1</UploadId></InitiateMultipartUploadResult>";

fn has(bytes: u64) -> String {
    format!("200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n")
}

/// Sends what would fit into one request as an upload of one part.
fn put_one_part(fake: &Fake) -> Result<(), Error> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    std::fs::write(&path, "abc").unwrap();
    let file = File::open(&path).unwrap();
    let upload = Upload { key: "p/k", file: &file, path: &path, bytes: 3, id: String::new() };
    fake.bucket(&never).put_in_parts(upload)
}

#[test]
fn trouble_that_passes_is_tried_again_and_each_try_is_whole() {
    let busy = Fake::error("503 Slow Down", "SlowDown", "x");
    let fake = Fake::new([busy.clone(), busy, DONE.into(), has(3)]);
    fake.bucket(&never).put_bytes("a b", b"abc").unwrap();
    let asked = fake.asked();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(lines, ["PUT /b/p/a%20b", "PUT /b/p/a%20b", "PUT /b/p/a%20b", "HEAD /b/p/a%20b"]);
    for put in &asked[..3] {
        assert_eq!(put.body, b"abc");
        assert_eq!(put.header("content-md5"), Some("kAFQmDzST7DWlj99KOF/cg=="));
        assert_eq!(put.header("x-amz-server-side-encryption"), Some("AES256"));
        assert_eq!(put.header("content-length"), Some("3"));
        assert!(put.query.contains("SignedHeaders=content-md5%3Bhost%3Bx-amz-server-side-encryption"));
    }
}

#[test]
fn a_refusal_is_final_and_says_why_but_never_shows_the_signed_url() {
    let fake = Fake::new([Fake::error("403 Forbidden", "SignatureDoesNotMatch", "Check your key.")]);
    let error = fake.bucket(&never).put_bytes("k", b"abc").unwrap_err();
    assert_eq!(error.to_string(), "PUT s3://b/p/k: refused: 403 SignatureDoesNotMatch: Check your key");
    assert_eq!(error.exit(), tg_core::Exit::Environment);
    assert!(error.hint().unwrap().contains("AWS_SECRET_ACCESS_KEY"));
    assert_eq!(fake.lines().len(), 1);
    assert!(!format!("{error:?}").contains("Signature="));
}

#[test]
fn a_store_that_nobody_runs_is_told_from_one_that_refuses() {
    let fake = Fake::new(Vec::<String>::new());
    let error = loop {
        // The listener is gone as soon as its thread is.
        match fake.bucket(&never).put_bytes("k", b"abc").unwrap_err() {
            Error::Unreachable { problem, .. } if problem.contains("reset") => {}
            error => break error,
        }
    };
    assert!(matches!(&error, Error::Unreachable { .. }), "{error}");
    assert!(error.to_string().starts_with("PUT s3://b/p/k: can't reach http://127.0.0.1:"), "{error}");
    assert!(error.retryable());
}

#[test]
fn an_object_of_another_length_is_an_error_though_the_store_said_yes() {
    let fake = Fake::new([DONE.to_owned(), has(2)]);
    let error = fake.bucket(&never).put_bytes("k", b"abc").unwrap_err();
    assert_eq!(error.to_string(), "HEAD s3://b/p/k: the store has 2 bytes instead of 3");
}

#[test]
fn a_large_file_goes_in_parts_of_which_each_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    // Its blocks take no room.
    File::create(&path).unwrap().set_len(parts::WHOLE + 1).unwrap();
    let mut answers = vec![Fake::answer("200 OK", BEGUN)];
    answers.extend((0..5).map(|_| DONE.to_owned()));
    answers.push(Fake::answer("200 OK", "<?xml?>\n   <CompleteMultipartUploadResult/>"));
    answers.push(has(parts::WHOLE + 1));
    let fake = Fake::new(answers);
    fake.bucket(&never).put("k", &File::open(&path).unwrap(), &path).unwrap();
    let asked = fake.asked();
    assert!(asked[0].line.starts_with("POST") && asked[0].query.contains("uploads="));
    assert_eq!(asked[0].header("content-length"), Some("0"));
    assert_eq!(asked[0].header("x-amz-server-side-encryption"), Some("AES256"));
    let sizes: Vec<usize> = asked[1..6].iter().map(|part| part.body.len()).collect();
    assert_eq!(sizes, [16 << 20, 16 << 20, 16 << 20, 16 << 20, 1]);
    assert!(asked[5].query.contains("partNumber=5&uploadId=u%261"), "{}", asked[5].query);
    assert!(asked[1..6].iter().all(|part| part.header("content-md5").is_some()));
    let body = String::from_utf8(asked[6].body.clone()).unwrap();
    assert!(body.contains("<PartNumber>5</PartNumber>"), "{body}");
}

#[test]
fn an_upload_that_fails_is_aborted() {
    let denied = Fake::error("403 Forbidden", "AccessDenied", "no");
    let fake = Fake::new([Fake::answer("200 OK", BEGUN), denied, "204 No Content\r\n\r\n".into()]);
    let error = put_one_part(&fake).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    let last = fake.asked().pop().unwrap();
    assert_eq!((last.line.as_str(), last.query.contains("uploadId=u%261")), ("DELETE /b/p/k", true));
}

#[test]
fn a_success_that_turns_out_to_be_none_is_tried_again() {
    let fake = Fake::new([
        Fake::answer("200 OK", BEGUN),
        DONE.to_owned(),
        Fake::error("200 OK", "InternalError", "try again"),
        Fake::answer("200 OK", "<CompleteMultipartUploadResult/>"),
    ]);
    put_one_part(&fake).unwrap();
    assert_eq!(fake.lines().len(), 4);
}

#[test]
fn an_upload_whose_last_answer_is_lost_is_found_by_its_mark() {
    let answers = |mark: &str| {
        [
            Fake::answer("200 OK", BEGUN),
            DONE.to_owned(),
            // Completed, but the connection breaks before the answer.
            String::new(),
            Fake::error("404 Not Found", "NoSuchUpload", "x"),
            format!(
                "200 OK\r\nContent-Length: 3\r\nx-amz-meta-tg-upload: {mark}\r\nConnection: close\r\n\r\n"
            ),
            "204 No Content\r\n\r\n".to_owned(),
        ]
    };
    put_one_part(&Fake::new(answers("MARK"))).unwrap();
    // Here somebody else has aborted it, and an older object is in its place.
    let error = put_one_part(&Fake::new(answers("older"))).unwrap_err();
    assert!(matches!(&error, Error::Answer { refusal, .. } if refusal.code == "NoSuchUpload"), "{error}");
}

#[test]
fn a_store_that_falls_silent_is_given_up_after_a_while() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("s3://b?endpoint=http://{}", silent.local_addr().unwrap());
    let mut bucket = Bucket::open(&url, &crate::s3::Credentials::fake(), &never).unwrap();
    bucket.agent = crate::s3::exchange::agent(&bucket.address, std::time::Duration::from_millis(20));
    let error = bucket.put_bytes("k", b"abc").unwrap_err();
    assert!(error.to_string().ends_with("nothing moved for 60 s"), "{error}");
}
