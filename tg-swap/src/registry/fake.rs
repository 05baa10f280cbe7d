//! A registry with a token service, for tests.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The digest of tag 1.4.0 of repository `app`.
pub(crate) const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The login that the token service knows: `ann:s3cret`.
pub(crate) const ANN: &str = r#"{"auth": "YW5uOnMzY3JldA=="}"#;
/// Her password, its form in a header, and the token that she gets.
pub(crate) const SECRETS: &str = "s3cret YW5uOnMzY3JldA== t0ken-for-ann";

/// A listening server; it ends with the test's process.
pub(crate) struct Fake {
    port: u16,
    heard: Arc<Mutex<String>>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let request = read(&mut stream);
                shared.lock().unwrap().push_str(&request);
                let _ = stream.write_all(answer(&request, port).as_bytes());
            }
        });
        Fake { port, heard }
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Every request so far.
    pub(crate) fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

/// A request with the whole of its body, whose end only a form's last field tells.
fn read(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    let whole = |text: &str| {
        text.split_once("\r\n\r\n")
            .is_some_and(|(head, body)| !head.starts_with("POST") || body.contains("scope="))
    };
    while !whole(&text) {
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..n])),
            _ => break,
        }
    }
    text
}

fn answer(request: &str, port: u16) -> String {
    let line = request.lines().next().unwrap_or_default();
    let authorization = request
        .lines()
        .find_map(|header| header.to_ascii_lowercase().starts_with("authorization: ").then(|| &header[15..]));
    let tags = |tags: &str| format!(r#"{{"name":"app","tags":[{tags}]}}"#);
    if line.contains(" /token") {
        return match authorization {
            Some("Basic YW5uOnMzY3JldA==") => respond("200 OK", "", r#"{"token":"t0ken-for-ann"}"#),
            Some(_) => respond("401 Unauthorized", "", ""),
            None if request.contains("refresh_token=id3ntity") => {
                respond("200 OK", "", r#"{"access_token":"t0ken-for-ann"}"#)
            }
            None => respond("200 OK", "", r#"{"token":"t0ken-for-nobody"}"#),
        };
    }
    match authorization {
        Some("Bearer t0ken-for-ann") if line.contains("/tags/list?last=") => {
            respond("200 OK", "", &tags(r#""1.5.0""#))
        }
        Some("Bearer t0ken-for-ann") if line.contains("/tags/list") => {
            let more = "Link: </v2/app/tags/list?last=1.4.1&n=2>; rel=\"next\"\r\n";
            respond("200 OK", more, &tags(r#""1.4.0","1.4.1""#))
        }
        Some("Bearer t0ken-for-ann") if line.starts_with("HEAD /v2/app/manifests/1.4.0 ") => {
            respond("200 OK", &format!("Docker-Content-Digest: {DIGEST}\r\n"), "")
        }
        Some("Bearer t0ken-for-ann") => respond("404 Not Found", "", ""),
        _ => {
            let realm = format!("http://127.0.0.1:{port}/token");
            let challenge = format!(
                "WWW-Authenticate: Bearer realm=\"{realm}\",service=\"fake\",scope=\"repository:app:pull\"\r\n"
            );
            respond("401 Unauthorized", &challenge, "")
        }
    }
}

fn respond(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
