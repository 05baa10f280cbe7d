//! A loopback server that answers each connection as it is told.

#![allow(dead_code, reason = "each test file uses another part")]

pub(crate) mod tls;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a connection gets.
#[derive(Clone)]
enum Manner {
    /// The bytes at once; the last of them for every further connection.
    Each(Vec<Vec<u8>>),
    /// One of them after another, and then again from the first.
    Turns(Vec<Vec<u8>>),
    /// The bytes after a pause.
    Late(Vec<u8>, Duration),
    /// One byte after the other, so far apart.
    Drip(Vec<u8>, Duration),
    /// The request's token, as the body of a refusal.
    Echo,
    /// The head of an answer, and a body that has no end.
    Endless(Vec<u8>),
    /// A part of an answer; then its side of the connection is shut, and the other one stays open.
    HalfClosed(Vec<u8>),
}

/// A listening server; it ends with the test's process.
pub(crate) struct Server {
    port: u16,
    heard: Arc<Mutex<String>>,
}

impl Server {
    pub(crate) fn always(answer: Vec<u8>) -> Self {
        Self::start(Manner::Each(vec![answer]))
    }

    pub(crate) fn each(answers: Vec<Vec<u8>>) -> Self {
        Self::start(Manner::Each(answers))
    }

    pub(crate) fn dripping(answer: &[u8], pause: Duration) -> Self {
        Self::start(Manner::Drip(answer.to_vec(), pause))
    }

    pub(crate) fn turns(answers: Vec<Vec<u8>>) -> Self {
        Self::start(Manner::Turns(answers))
    }

    pub(crate) fn late(answer: Vec<u8>, pause: Duration) -> Self {
        Self::start(Manner::Late(answer, pause))
    }

    pub(crate) fn echo() -> Self {
        Self::start(Manner::Echo)
    }

    pub(crate) fn endless(head: &str) -> Self {
        Self::start(Manner::Endless(head.into()))
    }

    pub(crate) fn half_closed(part: &str) -> Self {
        Self::start(Manner::HalfClosed(part.into()))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/health", self.port)
    }

    /// Every request so far.
    pub(crate) fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn wait_for_a_request(&self) {
        while self.heard().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().flatten().enumerate() {
                let (manner, heard) = (manner.clone(), Arc::clone(&shared));
                std::thread::spawn(move || serve(stream, &manner, n, &heard));
            }
        });
        Server { port, heard }
    }
}

fn serve(mut stream: TcpStream, manner: &Manner, n: usize, heard: &Mutex<String>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    heard.lock().unwrap().push_str(&text);
    // The client may have gone; then there is nobody to be unkind to.
    match manner {
        Manner::Each(answers) => drop(stream.write_all(answers.get(n).or(answers.last()).unwrap())),
        Manner::Turns(answers) => drop(stream.write_all(&answers[n % answers.len()])),
        Manner::Late(answer, pause) => {
            std::thread::sleep(*pause);
            drop(stream.write_all(answer));
        }
        Manner::Echo => {
            let token = text.lines().find_map(|l| l.strip_prefix("authorization: ")).unwrap_or_default();
            let failing = |message: String| serde_json::json!({"status": "down", "message": message});
            let error = serde_json::json!({
                "short": failing(token.to_owned()), "long": failing(format!("{}{token}", "x".repeat(188))),
            });
            let body = serde_json::json!({"status": "error", "error": error});
            drop(stream.write_all(&response("401 Unauthorized", "", body.to_string().as_bytes())));
        }
        Manner::Endless(first) => {
            let mut sent = stream.write_all(first);
            while sent.is_ok() {
                sent = stream.write_all(&[b' '; 4096]);
            }
        }
        Manner::HalfClosed(part) => {
            let _ = stream.write_all(part);
            let _ = stream.shutdown(Shutdown::Write);
            while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
        }
        Manner::Drip(bytes, pause) => {
            for byte in bytes {
                std::thread::sleep(*pause);
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
            }
            std::thread::sleep(*pause);
        }
    }
}

/// A whole response.
pub(crate) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A 200 with this body.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    response("200 OK", "", body.as_bytes())
}

/// A URL where nobody listens.
pub(crate) fn refused() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}/")
}
