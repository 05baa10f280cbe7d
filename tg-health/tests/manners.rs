//! Servers of bad manners on loopback: the verdict, the exit code, and that no deadline is missed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;
mod tool;

use std::time::{Duration, Instant};

use serde_json::Value;
use server::tls::TlsServer;
use server::{Server, ok, response};
use tool::{health, peak_of};

/// What the machine that runs the tests may be late by.
const SLACK: Duration = Duration::from_millis(700);

#[test]
fn a_server_that_is_well_is_ready() {
    let server = Server::always(ok(r#"{"status":"ok","version":"1.5.0"}"#));
    let ran = health(&[&server.url(), "--expect-version", "v1.5.0"]);
    assert_eq!(ran.exit, 0, "{:?}", ran.lines);
    assert_eq!(ran.lines.first().unwrap()["type"], "start");
    assert_eq!(ran.record()["version"], "1.5.0");
    assert_eq!((&ran.result()["ready"], &ran.result()["attempts"]), (&true.into(), &1.into()));
}

#[test]
fn a_200_whose_body_says_error_is_not_ready_and_the_dependency_is_named() {
    let body = r#"{"status":"error","error":{"db":{"status":"down","message":"refused"}}}"#;
    let ran = health(&[&Server::always(ok(body)).url()]);
    assert_eq!(ran.exit, 1);
    assert_eq!(ran.record()["failing"][0]["name"], "db");
}

#[test]
fn the_wrong_version_is_not_ready() {
    let server = Server::always(ok(r#"{"status":"ok","version":"1.4.0"}"#));
    let ran = health(&[&server.url(), "--expect-version", "1.5.0"]);
    assert_eq!(ran.exit, 1);
    assert!(ran.reason().contains("1.4.0") && ran.reason().contains("1.5.0"), "{}", ran.reason());
}

#[test]
fn a_version_that_is_kept_secret_hints_at_the_token() {
    let ran = health(&[&Server::always(ok(r#"{"status":"ok"}"#)).url(), "--expect-version", "1.5.0"]);
    assert_eq!(ran.exit, 1);
    assert!(ran.record()["hint"].as_str().unwrap().contains("--token-file"));
}

#[test]
fn no_bad_manners_are_taken_for_ready_or_hang_the_probe() {
    let huge = "x".repeat(3 << 20);
    let shut = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"status\":\"ok\"";
    let manners: Vec<(&str, Server)> = vec![
        ("an endless body", Server::endless("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\"")),
        ("an endless header", Server::endless("HTTP/1.1 200 OK\r\nX: ")),
        ("half closed before an answer", Server::half_closed("")),
        ("half closed within an answer", Server::half_closed(shut)),
        ("an answer that is packed", Server::always(packed())),
        ("invalid UTF-8", Server::always(response("200 OK", "", b"\xff\xfe\xfd"))),
        ("HTML", Server::always(ok("<html><body>It works</body></html>"))),
        ("a huge body", Server::always(ok(&format!(r#"{{"status":"ok","x":"{huge}"}}"#)))),
        ("a redirect", Server::always(response("302 Found", "Location: /\r\n", b""))),
        ("not HTTP", Server::always(b"SSH-2.0-OpenSSH\r\n".to_vec())),
        ("nothing at all", Server::always(Vec::new())),
        (
            "half an answer",
            Server::always(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"status\"".to_vec()),
        ),
        ("silence", Server::dripping(b"", Duration::from_mins(1))),
        ("slow headers", Server::dripping(&ok("ok"), Duration::from_millis(100))),
    ];
    for (name, server) in manners {
        let ran = health(&[&server.url(), "--probe-timeout=500ms"]);
        assert_eq!(ran.exit, 1, "{name}: {:?}", ran.lines);
        assert_eq!(ran.record()["ready"], false, "{name}");
        assert!(!ran.reason().is_empty(), "{name}");
        assert!(ran.took < Duration::from_millis(500) + SLACK, "{name} took {:?}", ran.took);
    }
}

/// 64 MB of blanks, and that it is well, in 64 kB.
fn packed() -> Vec<u8> {
    let script =
        r#"(printf '{"status":"ok","x":"'; head -c 64M /dev/zero | tr '\\0' ' '; printf '"}') | gzip"#;
    let output = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.stdout.len() > 60_000, "{output:?}");
    response("200 OK", "Content-Encoding: gzip\r\nContent-Type: application/json\r\n", &output.stdout)
}

#[test]
fn what_is_sent_without_end_is_not_kept() {
    let blank = " ".repeat(10 << 20);
    let servers = [
        Server::endless("HTTP/1.1 200 OK\r\n\r\n"),
        Server::always(packed()),
        Server::always(ok(&format!(r#"{{"status":"ok","x":"{blank}"}}"#))),
    ];
    let peak_of = |servers: &[Server; 3]| {
        let urls = servers.each_ref().map(Server::url);
        let (exit, peak) = peak_of(&[&urls[0], &urls[1], &urls[2], "--wait=1500ms"]);
        assert_eq!(exit, 124);
        peak
    };
    // The same with answers of nothing: what the program, its threads and a build for debugging take.
    let plain = peak_of(&std::array::from_fn(|_| Server::always(ok("{}"))));
    let peak = peak_of(&servers);
    assert!(plain > 1000 && peak < plain + 14_000, "{peak} kB, and {plain} kB with answers of nothing");
}

#[test]
fn redirects_are_followed_only_as_often_as_told() {
    let end = Server::always(ok("ok"));
    let there = Server::always(response("302 Found", &format!("Location: {}\r\n", end.url()), b""));
    assert_eq!(health(&[&there.url()]).exit, 1);
    assert_eq!(health(&[&there.url(), "--max-redirects=1"]).exit, 0);
    let circle = Server::always(response("302 Found", "Location: /\r\n", b""));
    let ran = health(&[&circle.url(), "--max-redirects=5"]);
    assert_eq!(ran.exit, 1);
    assert!(ran.reason().contains("redirect"), "{}", ran.reason());
    assert_eq!(circle.heard().matches("GET ").count(), 6);
}

#[test]
fn a_certificate_must_be_in_date_for_this_name_and_of_an_authority_that_is_trusted() {
    let good = TlsServer::of("app.example", 2100);
    let resolve = |server: &TlsServer| format!("app.example:{}:127.0.0.1", server.port());
    let named = good.url("app.example");
    let ran = health(&[&named, "--ca", &good.ca(), "--resolve", &resolve(&good)]);
    assert_eq!(ran.exit, 0, "{:?}", ran.lines);
    let expired = TlsServer::of("app.example", 2021);
    let option = |name: &str, value: &str| format!("--{name}={value}");
    let (ca, resolve) = (|s: &TlsServer| option("ca", &s.ca()), |s| option("resolve", &resolve(s)));
    for (why, words) in [
        ("expired", vec![expired.url("app.example"), ca(&expired), resolve(&expired)]),
        ("UnknownIssuer", vec![named.clone(), resolve(&good)]),
        ("invalid peer certificate", vec![named, ca(&expired), resolve(&good)]),
        ("not valid for name", vec![good.url("127.0.0.1"), ca(&good)]),
    ] {
        let ran = health(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ran.exit, 10, "{why}: {:?}", ran.lines);
        assert!(ran.reason().contains(why), "{why}: {}", ran.reason());
    }
}

#[test]
fn what_is_expected_of_an_answer_can_be_told() {
    let teapot = Server::always(response("418 I'm a teapot", "", br#"{"tea":{"hot":true},"n":1}"#));
    for (exit, words) in [
        (1, vec![]),
        (0, vec!["--expect-status=418"]),
        (0, vec!["--expect-status=200,418", "--expect-json", "/tea/hot=true"]),
        (1, vec!["--expect-status=418", "--expect-json", "/tea/hot=false"]),
        (1, vec!["--expect-status=418", "--expect-json", "/milk=true"]),
        (0, vec!["--expect-status=418", "--expect-body", r#""n":\d"#]),
        (1, vec!["--expect-status=418", "--expect-body", "coffee"]),
        (1, vec!["--expect-body", "tea"]),
    ] {
        let ran = health(&[&[teapot.url().as_str()], &words[..]].concat());
        assert_eq!(ran.exit, exit, "{words:?}: {:?}", ran.lines);
    }
    let bad = Server::always(ok(r#"{"status":"down","n":1}"#));
    let ran = health(&[&bad.url(), "--expect-json", "/n=1"]);
    assert_eq!(ran.exit, 1, "who says that it is not well is not, whatever else was expected");
}

#[test]
fn headers_are_sent_and_those_of_a_file_are_never_repeated() {
    let server = Server::echo();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("headers");
    std::fs::write(&file, "Authorization: Basic c2VjcmV0LXBhaXI=\n\nX-Api-Key: k3y-k3y-k3y\n").unwrap();
    let from = format!("@{}", file.display());
    let ran = health(&[&server.url(), "--header", "X-Team: maps", "--header", &from, "-v"]);
    let heard = server.heard();
    for header in ["x-team: maps", "authorization: Basic c2VjcmV0LXBhaXI=", "x-api-key: k3y-k3y-k3y"] {
        assert!(heard.contains(header), "{header}: {heard}");
    }
    let all = format!("{:?}{}", ran.lines, ran.stderr);
    assert!(!all.contains("c2VjcmV0") && !all.contains("k3y"), "{all}");
    let ran = health(&[&server.url(), "--header", &from, "--max-redirects=1"]);
    assert_eq!(ran.exit, 2, "a redirect would carry them away");
}

#[test]
fn a_port_is_ready_when_it_takes_connections_and_any_may_be_enough() {
    let server = Server::always(ok("ok"));
    let open = format!("tcp://127.0.0.1:{}", server.port());
    let shut = server::refused().replace("http", "tcp");
    assert_eq!(health(&[&open]).exit, 0);
    let ran = health(&[&shut]);
    assert_eq!((ran.exit, ran.reason()), (1, "connection refused"));
    assert_eq!(health(&[&open, &shut]).exit, 1);
    assert_eq!(health(&[&open, &shut, "--any"]).exit, 0);
    assert_eq!(health(&[&open, &shut, "--any", "--wait=5s"]).exit, 0);
    assert_eq!(health(&[&open, &shut, "--any", "--all"]).exit, 1);
}

/// Noise of the machine can make a run late, and not early: the best of a few tells what the tool does.
#[test]
fn a_wait_ends_within_50_ms_of_its_deadline_whatever_the_other_side_does() {
    let servers = [
        Server::dripping(b"", Duration::from_mins(1)),
        Server::dripping(&ok("ok"), Duration::from_millis(100)),
        Server::endless("HTTP/1.1 200 OK\r\n\r\n"),
        Server::always(response("503 Busy", "", b"")),
        Server::half_closed(""),
    ];
    for server in servers {
        let limit = Duration::from_millis(500);
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let ran = health(&[&server.url(), "--wait=500ms", "--probe-timeout=1m"]);
            assert_eq!(ran.exit, 124, "{:?}", ran.lines);
            assert!(ran.took >= limit, "{:?}", ran.took);
            best = best.min(ran.took.saturating_sub(limit));
        }
        assert!(best <= Duration::from_millis(50), "{best:?}");
    }
}

#[test]
fn waiting_ends_well_once_a_503_turns_into_ok() {
    let server =
        Server::each(vec![response("503 Service Unavailable", "", b"{\"status\":\"error\"}"), ok("ok")]);
    let ran = health(&[&server.url(), "--wait=10s"]);
    assert_eq!(ran.exit, 0, "{:?}", ran.lines);
    let verdicts: Vec<_> =
        ran.lines.iter().filter(|l| l["type"] == "record").map(|l| l["data"]["ready"].clone()).collect();
    assert_eq!(verdicts, [Value::from(false), Value::from(true)], "one record a change of verdict");
    assert_eq!(ran.result()["attempts"], 3, "ready twice in a row");
    assert!(ran.result()["first_ready_ms"].is_number());
}

#[test]
fn a_flapping_server_is_not_ready_until_it_stays_well() {
    let bad = response("503 Service Unavailable", "", b"");
    let answers = [ok("ok"), bad.clone(), ok("ok"), bad, ok("ok"), ok("ok"), ok("ok")];
    let ran = health(&[&Server::each(answers.to_vec()).url(), "--wait=20s", "--rise=3"]);
    assert_eq!(ran.exit, 0);
    assert_eq!(ran.result()["attempts"], 7);
}

#[test]
fn a_refused_connection_is_a_no_at_once_and_a_wait_that_ends_in_time() {
    let url = server::refused();
    assert_eq!(health(&[&url]).exit, 1);
    let ran = health(&[&url, "--wait=800ms"]);
    assert_eq!(ran.exit, 124);
    assert!(ran.took >= Duration::from_millis(800) && ran.took < Duration::from_millis(800) + SLACK);
    assert_eq!(ran.result()["error"]["code"], "not-ready-in-time");
    assert_eq!(ran.result()["error"]["details"][0]["reason"], "connection refused");
    assert!(ran.stderr.contains("error: not ready in time") && ran.stderr.contains("hint: "));
}

#[test]
fn a_server_that_never_answers_can_not_hold_a_wait_beyond_its_end() {
    let server = Server::dripping(b"", Duration::from_mins(1));
    for words in [["--wait=600ms", "--probe-timeout=1m"], ["--timeout=600ms", "--probe-timeout=1m"]] {
        let ran = health(&[&server.url(), words[0], words[1]]);
        assert_eq!(ran.exit, 124, "{words:?}");
        assert!(ran.took < Duration::from_millis(600) + SLACK, "{words:?} took {:?}", ran.took);
    }
}

#[test]
fn one_bad_target_of_many_makes_the_answer_no_and_each_has_its_record() {
    let (good, bad) = (Server::always(ok("ok")), Server::always(response("500 Oops", "", b"")));
    let ran = health(&[&good.url(), &bad.url(), &good.url()]);
    assert_eq!(ran.exit, 1);
    assert_eq!(ran.result()["targets"], 3);
}

#[test]
fn the_token_is_sent_as_bearer_and_is_never_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "t0psecret-token\n").unwrap();
    // A server that hands the token back.
    let server = Server::echo();
    let ran = health(&[&server.url(), "--token-file", file.to_str().unwrap(), "-v"]);
    assert!(server.heard().contains("authorization: Bearer t0psecret-token"));
    let all = format!("{:?}{}", ran.lines, ran.stderr);
    assert!(all.contains("***") && !all.contains("t0ps"), "also where a long text is cut: {all}");
}

#[test]
fn a_redirect_never_carries_the_token_away() {
    let thief = Server::echo();
    let location = format!("Location: {}\r\n", thief.url());
    let server = Server::always(response("307 Temporary Redirect", &location, b""));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "t0psecret-token").unwrap();
    assert_eq!(health(&[&server.url(), "--token-file", file.to_str().unwrap()]).exit, 1);
    assert_eq!(thief.heard(), "");
}

#[test]
fn wrong_usage_is_2_and_a_wrong_environment_10() {
    for words in [
        vec!["tcp://h"],
        vec!["redis://h:1"],
        vec!["nonsense"],
        vec!["tcp://h:1", "--expect-version", "1.5.0"],
        vec!["http://h/", "--expect-json", "status=ok"],
        vec!["http://h/", "--expect-body", "("],
        vec!["http://h/", "--expect-status", "99"],
        vec!["http://h/", "--header", "no header"],
        vec!["http://h/", "--header", "Authorization: Bearer x"],
        vec!["http://h/", "--ca", "/nonexistent"],
        vec!["http://h/", "--resolve", "h:80"],
        vec!["http://h/", "--fall=0"],
        vec!["http://u:p@h/"],
        vec!["http://h/", "--wait=soon"],
        vec!["http://h/", "--wait=0s"],
        vec!["http://h/", "--rise=0"],
        vec!["http://h/", "--expect-version", ""],
        vec!["http://h/", "--token-file", "/nonexistent"],
        vec!["http://h/", "--instances", "no"],
    ] {
        let ran = health(&words);
        assert_eq!(ran.exit, 2, "{words:?}");
        assert!(ran.lines.is_empty() && !ran.stderr.is_empty(), "usage errors go to stderr alone");
    }
    assert_eq!(health(&["http://no-such-host.invalid/"]).exit, 10);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(health(&["-C", empty.path().to_str().unwrap()]).exit, 10);
}

#[test]
fn an_interrupt_ends_the_wait_at_once_with_130() {
    let server = Server::dripping(b"", Duration::from_mins(1));
    let program = assert_cmd::cargo::cargo_bin!("tg-health");
    let child = std::process::Command::new(program)
        .args([&server.url(), "--wait=1m"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    server.wait_for_a_request();
    let begun = Instant::now();
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(begun.elapsed() < SLACK);
    let last = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(&last).unwrap()["data"]["exit"], 130);
}
