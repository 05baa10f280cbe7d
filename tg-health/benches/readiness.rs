//! How late readiness is seen by those who wait for it: a server that becomes ready at a random moment, and each way to wait in its turn.
//! One JSON line a measurement; `scripts/bench/health` makes a table of them.
//!
//! Arguments: a directory with a Compose project whose container's health check asks `http://127.0.0.1:$PORT/`, and how many rounds.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking and prints what it measured"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tg-health");
/// How long applications take to become ready: most, and the slow ones.
const SHORT: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(3));
const LONG: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(25));
const TARGETS: usize = 20;

/// Answers 503 until it is told that it is ready.
struct Server {
    port: u16,
    ready: Arc<AtomicBool>,
    first: Arc<Mutex<Option<Instant>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            port: listener.local_addr().unwrap().port(),
            ready: Arc::default(),
            first: Arc::default(),
        };
        let (ready, first) = (Arc::clone(&server.ready), Arc::clone(&server.first));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (ready, first) = (Arc::clone(&ready), Arc::clone(&first));
                std::thread::spawn(move || {
                    let asked = stream.read(&mut [0; 4096]);
                    first.lock().unwrap().get_or_insert_with(Instant::now);
                    let (status, word) =
                        if ready.load(Ordering::SeqCst) { ("200 OK", "ok") } else { ("503 Busy", "error") };
                    let body = format!(r#"{{"status":"{word}"}}"#);
                    let head =
                        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close");
                    let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    let _ = asked.and_then(|_| stream.write_all(answer.as_bytes()));
                });
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// Runs a way to wait; ms from readiness to its end, and how long it had waited before.
fn late(server: &Server, mut way: Command, between: (Duration, Duration)) -> (f64, f64) {
    server.ready.store(false, Ordering::SeqCst);
    let begun = Instant::now();
    let mut child = way.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pause = between.0 + between.1.saturating_sub(between.0).mul_f64(fastrand::f64());
    std::thread::sleep(pause);
    let ready = Instant::now();
    server.ready.store(true, Ordering::SeqCst);
    assert!(child.wait().unwrap().success());
    (ready.elapsed().as_secs_f64() * 1000.0, (ready - begun).as_secs_f64() * 1000.0)
}

fn told(way: &str, (late, waited): (f64, f64)) {
    println!(r#"{{"way":"{way}","late_ms":{late:.2},"waited_ms":{waited:.0}}}"#);
}

fn tool(words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words).env_remove("TG_FORMAT");
    command
}

fn curl_loop(server: &Server) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"until curl -fsS "$0"; do sleep 1; done"#, &server.url()]);
    command
}

fn compose(server: &Server, project: &Path) -> Command {
    let docker = |words: &[&str]| {
        let mut command = Command::new("docker");
        command.current_dir(project).env("PORT", server.port.to_string()).args(words);
        command
    };
    assert!(docker(&["compose", "--progress", "quiet", "rm", "-fs"]).output().unwrap().status.success());
    docker(&["compose", "--progress", "quiet", "up", "-d", "--wait"])
}

/// ms from the start of the process to its first request, as the server sees it.
fn first_probe() {
    let server = Server::start();
    server.ready.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    let run = tool(&[&server.url()]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(run.success());
    let first = server.first.lock().unwrap().unwrap();
    println!(r#"{{"way":"first-probe","ms":{:.2}}}"#, (first - begun).as_secs_f64() * 1000.0);
}

/// The most memory that a wait on twenty targets has taken, kB.
fn memory() {
    let servers: Vec<Server> = std::iter::repeat_with(Server::start).take(TARGETS).collect();
    let urls: Vec<String> = servers.iter().map(Server::url).collect();
    let words: Vec<&str> = urls.iter().map(String::as_str).chain(["--wait=3s"]).collect();
    let mut child = tool(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = String::new();
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        if let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
            line.trim().trim_end_matches(" kB").clone_into(&mut peak);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    println!(r#"{{"way":"memory","targets":{TARGETS},"kb":{peak}}}"#);
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [project, rounds] = words.as_slice() else { return };
    let rounds: usize = rounds.parse().unwrap();
    println!(r#"{{"way":"binary","bytes":{}}}"#, std::fs::metadata(PROGRAM).unwrap().len());
    memory();
    for _ in 0..rounds {
        first_probe();
    }
    let server = Server::start();
    let wait = |rise: &str| tool(&[&server.url(), "--wait", "--rise", rise]);
    for round in 0..rounds {
        told("tg-health --wait --rise 1", late(&server, wait("1"), SHORT));
        // The slower ways take seconds each: what else the machine does is in all of them all the same.
        if round % 10 == 0 {
            told("tg-health --wait", late(&server, wait("2"), SHORT));
            told("curl loop", late(&server, curl_loop(&server), SHORT));
            told("docker compose up --wait", late(&server, compose(&server, Path::new(project)), SHORT));
        }
        if round % 20 == 0 {
            told("tg-health --wait --rise 1, slow boot", late(&server, wait("1"), LONG));
        }
    }
}
