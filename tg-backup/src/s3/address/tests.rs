use super::*;

fn parsed(url: &str) -> Address {
    Address::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"))
}

fn base(url: &str) -> String {
    parsed(url).bucket().unwrap().base_url().to_string()
}

#[test]
fn a_bucket_of_aws_needs_no_more_than_its_name_and_region() {
    assert_eq!(base("s3://b"), "https://b.s3.us-east-1.amazonaws.com/");
    assert_eq!(base("s3://b?region=eu-central-1"), "https://b.s3.eu-central-1.amazonaws.com/");
    assert_eq!(base("s3://b?region=cn-north-1"), "https://b.s3.cn-north-1.amazonaws.com.cn/");
    assert_eq!(base("s3://my.b"), "https://s3.us-east-1.amazonaws.com/my.b/");
}

#[test]
fn an_endpoint_of_one_s_own_has_the_bucket_in_the_path_unless_told_otherwise() {
    assert_eq!(base("s3://b?endpoint=http://127.0.0.1:8333"), "http://127.0.0.1:8333/b/");
    assert_eq!(base("s3://b?endpoint=https%3A%2F%2Fs3.example/&style=virtual"), "https://b.s3.example/");
    let error = parsed("s3://b?endpoint=http://127.0.0.1:8333&style=virtual").bucket().unwrap_err();
    assert!(error.contains("style=path"), "{error}");
}

#[test]
fn a_prefix_is_a_directory_and_decoded() {
    assert_eq!(parsed("s3://b").prefix, "");
    assert_eq!(parsed("s3://b/").prefix, "");
    assert_eq!(parsed("s3://b/a/b").prefix, "a/b/");
    assert_eq!(parsed("s3://b/a%20b+c/").prefix, "a b+c/");
    assert!(Address::parse("s3://b//a").is_err() && Address::parse("s3://b/a/../c").is_err());
}

#[test]
fn encryption_by_the_store_becomes_headers() {
    assert!(parsed("s3://b").encryption.is_empty());
    assert_eq!(
        parsed("s3://b?sse=AES256").encryption,
        [("x-amz-server-side-encryption", "AES256".to_owned())]
    );
    let kms = parsed("s3://b?sse=aws:kms&sse_kms_key_id=arn:aws:kms:eu:1:key/2").encryption;
    assert_eq!(kms[1], ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:eu:1:key/2".into()));
    for bad in ["sse=none", "sse_kms_key_id=x", "sse=AES256&sse_kms_key_id=x"] {
        assert!(Address::parse(&format!("s3://b?{bad}")).is_err(), "{bad}");
    }
}

#[test]
fn a_bad_url_says_what_to_write() {
    for (url, words) in [
        ("https://b/p", "write s3://BUCKET"),
        ("s3:///p", "no bucket"),
        ("s3://?region=x", "no bucket"),
        ("s3://b ket/p", "letters, digits"),
        ("s3://b?regoin=x", "no such key: regoin; known are endpoint"),
        ("s3://b?region=", "region has no value"),
        ("s3://b?region=a&region=b", "twice"),
        ("s3://b?style=host", "one of path, virtual"),
        ("s3://b?endpoint=minio:9000", "https://HOST:PORT"),
        ("s3://b?endpoint=https://", "https://HOST:PORT"),
    ] {
        let error = Address::parse(url).unwrap_err();
        assert!(error.contains(words), "{url}: {error}");
    }
}

#[test]
fn credentials_in_a_url_are_refused_and_not_repeated() {
    for url in ["s3://AK:hunter2@b/p", "s3://AK:hun/ter2@b/p", "s3://b?endpoint=https://u:hunter2@h"] {
        let error = Address::parse(url).unwrap_err();
        assert!(!error.contains("hun") && !error.contains("AK"), "{error}");
    }
    let error = Address::parse("s3://b?secret_key=hunter2").unwrap_err();
    assert!(!error.contains("hunter2"), "{error}");
    assert_eq!(parsed("s3://b/me@home").prefix, "me@home/");
}
