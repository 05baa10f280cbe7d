//! What needs no database: wrong usage and a wrong environment.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use assert_cmd::cargo::cargo_bin_cmd;

fn exit(words: &[&str]) -> (i32, String, String) {
    let output = cargo_bin_cmd!("tg-vacuum").args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn wrong_usage_is_2_and_stands_on_stderr_alone() {
    for words in [
        vec!["report", "--top", "0"],
        vec!["report", "--min-dead", "many"],
        vec!["--lock-timeout", "0s"],
        vec!["--analyze-only", "report"],
        vec!["--dry-run", "report"],
        vec!["full"],
        vec!["--jobs", "0"],
        vec!["--budget", "0s"],
        vec!["--window", "2-5"],
        vec!["--budget", "1m", "--window", "01:00-02:00"],
        vec!["--gentle", "--fast"],
        vec!["--gentle", "--jobs", "2"],
        vec!["--freeze", "--analyze-only"],
        vec!["--budget", "1m", "reindex"],
        vec!["report", "--max-bloat", "much"],
        vec!["report", "--min-size", "large"],
        vec!["reindex", "--max-bloat", "-1"],
        vec!["blockers", "--older-than", "yesterday"],
    ] {
        let (code, stdout, stderr) = exit(&words);
        assert_eq!((code, stdout.as_str()), (2, ""), "{words:?}");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn no_compose_file_is_a_wrong_environment_with_a_cure() {
    let empty = tempfile::tempdir().unwrap();
    for words in
        [&["-C", empty.path().to_str().unwrap()][..], &["report", "-C", empty.path().to_str().unwrap()]]
    {
        let (code, stdout, stderr) = exit(words);
        assert_eq!(code, 10);
        assert!(stderr.contains("hint: "), "{stderr}");
        let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
        assert_eq!((&last["type"], &last["data"]["exit"]), (&"result".into(), &10.into()));
    }
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "a failure leaves nothing behind");
}
