//! What `watch` says of servers whose behaviour is known, compared with how they were before.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;
mod tool;

use std::path::Path;
use std::time::Duration;

use server::{Server, ok, response};
use tool::{Ran, health};

const QUICK: [&str; 5] = ["--rate=40", "--settle=0s", "--only=probes,metrics", "-q", "--probe-timeout=1s"];

fn watch(url: &str, seconds: u32, more: &[&str]) -> Ran {
    let length = format!("--for={seconds}s");
    health(&[&["watch", url, &length], &QUICK[..], more].concat())
}

/// A recording of three good seconds, of a server that may be another one afterwards: what is compared is called by its URL.
fn baseline(server: &Server, dir: &Path, name: &str) -> String {
    let path = dir.join("baseline").to_str().unwrap().to_owned();
    let ran = watch(&server.url(), 3, &["--record", &path]);
    assert_eq!(ran.exit, 0, "{:?}", ran.lines);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&server.url(), name)).unwrap();
    path
}

fn code(ran: &Ran) -> String {
    let found = ran.result()["findings"].as_array().unwrap();
    found.iter().map(|finding| finding["code"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_as_it_was_passes_and_is_compared_row_by_row() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::always(ok("[1, 2]"));
    let before = baseline(&server, dir.path(), &server.url());
    // What else the machine does meanwhile is no matter of this test.
    let ran = watch(&server.url(), 3, &["--baseline", &before, "--slower=50"]);
    assert_eq!(ran.exit, 0, "{:?}", ran.lines);
    assert_eq!(ran.result()["verdict"], "pass");
    let rows = ran.lines.iter().filter(|line| line["data"]["code"] == "compared");
    let what: Vec<_> = rows.map(|row| row["data"]["what"].as_str().unwrap().to_owned()).collect();
    assert_eq!(what, ["availability", "p50_ms", "p95_ms", "p99_ms"]);
}

#[test]
fn failures_end_the_watch_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let good = Server::always(ok("[]"));
    let bad = Server::turns(vec![ok("[]"), ok("[]"), ok("[]"), response("500 Oops", "", b"")]);
    let before = baseline(&good, dir.path(), &bad.url());
    let ran = watch(&bad.url(), 30, &["--baseline", &before]);
    assert_eq!((ran.exit, code(&ran).as_str()), (1, "errors"), "{:?}", ran.lines);
    assert!(ran.took < Duration::from_secs(15), "{:?}", ran.took);
    assert_eq!(ran.result()["verdict"], "fail");
}

#[test]
fn what_takes_three_times_as_long_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (quick, slow) = (Duration::from_millis(20), Duration::from_millis(60));
    let (good, bad) = (Server::late(ok("[]"), quick), Server::late(ok("[]"), slow));
    let before = baseline(&good, dir.path(), &bad.url());
    let ran = watch(&bad.url(), 30, &["--baseline", &before]);
    assert_eq!((ran.exit, code(&ran).as_str()), (1, "slower"), "{:?}", ran.lines);
    let ran = watch(&bad.url(), 4, &["--baseline", &before, "--slower=20"]);
    assert_eq!(ran.exit, 0, "{:?}", ran.lines);
}

#[test]
fn nobody_there_fails_and_too_few_answers_can_not_tell() {
    let ran = watch(&server::refused(), 20, &[]);
    assert_eq!((ran.exit, code(&ran).as_str()), (1, "budget-spent"), "{:?}", ran.lines);
    let server = Server::always(ok("[]"));
    let ran = health(&["watch", &server.url(), "--for=2s", "--rate=2", "--only=probes"]);
    assert_eq!(ran.exit, 3, "{:?}", ran.lines);
    assert_eq!(ran.result()["gaps"][0]["code"], "too-few-answers");
    assert_eq!(ran.result()["error"]["code"], "inconclusive");
}

#[test]
fn what_the_baseline_does_not_know_can_not_be_compared() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::always(ok("[]"));
    let before = baseline(&server, dir.path(), "http://other/");
    let ran = watch(&server.url(), 3, &["--baseline", &before]);
    assert_eq!((ran.exit, &ran.result()["gaps"][0]["code"]), (3, &"not-in-baseline".into()));
}

#[test]
fn a_threshold_on_a_metric_holds_breaks_or_can_not_be_told() {
    let server = Server::always(ok("[]"));
    let metrics = Server::always(ok("queue{name=\"a\"} 3\nqueue{name=\"b\"} 7\n"));
    let with = |rule: &str| watch(&server.url(), 3, &["--metrics", &metrics.url(), "--max", rule]);
    assert_eq!(with("queue=7").exit, 0);
    let ran = with("queue=6.5");
    assert_eq!((ran.exit, code(&ran).as_str()), (1, "threshold"), "{:?}", ran.lines);
    let ran = with("quue=7");
    assert_eq!((ran.exit, &ran.result()["gaps"][0]["code"]), (3, &"metric-missing".into()));
    let ran = with("queue=2x");
    assert_eq!(ran.exit, 3, "without a baseline there is nothing to be twice of");
}

#[test]
fn what_was_recorded_is_judged_again_and_what_was_ill_is_no_baseline() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ill").to_str().unwrap().to_owned();
    let ran = watch(&server::refused(), 4, &["--record", &path, "--to-the-end"]);
    assert_eq!(ran.exit, 1);
    assert!(ran.took > Duration::from_secs(4), "{:?}", ran.took);
    let again = health(&["watch", "--replay", &path]);
    assert_eq!((again.exit, code(&again)), (1, code(&ran)));
    let ran = watch(&server::refused(), 4, &["--baseline", &path]);
    assert_eq!(ran.exit, 2);
    assert!(ran.stderr.contains("not well itself"), "{}", ran.stderr);
}

#[test]
fn wrong_usage_changes_nothing_and_says_what_would_be_right() {
    for words in [
        vec!["watch", "tcp://h:1", "--only=probes"],
        vec!["watch", "http://h/", "--for=0s"],
        vec!["watch", "http://h/", "--rate=0"],
        vec!["watch", "http://h/", "--budget=1"],
        vec!["watch", "http://h/", "--max=x"],
        vec!["watch", "http://h/", "--metrics=http://h/"],
        vec!["watch", "http://h/", "--baseline=/nonexistent"],
        vec!["watch", "--replay=/nonexistent"],
        vec!["http://h/", "watch"],
    ] {
        let ran = health(&words);
        assert_eq!(ran.exit, 2, "{words:?}");
        assert!(ran.lines.is_empty() && !ran.stderr.is_empty(), "{words:?}");
    }
}
