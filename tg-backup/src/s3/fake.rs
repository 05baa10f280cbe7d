//! A store on the loopback that answers what a test has written down, one connection a request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::s3::upload::MARK;
use crate::s3::{Bucket, Check, Credentials};

/// Never gives up.
#[expect(clippy::unnecessary_wraps, reason = "it is a check")]
pub(super) fn never() -> Result<(), tg_core::Error> {
    Ok(())
}

/// What a request was.
pub(super) struct Asked {
    /// Method and path, without the query.
    pub line: String,
    pub query: String,
    /// Lower-case `name: value` lines.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

pub(super) struct Fake {
    endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Each answer is a status, its headers, an empty line and a body; after the last one nobody listens.
    /// An empty answer closes the connection instead. `MARK` stands for the mark of the upload that was begun.
    pub(super) fn new<A: Into<String>>(answers: impl IntoIterator<Item = A>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answers: Vec<String> = answers.into_iter().map(Into::into).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut log = log.lock().unwrap();
                log.push(read(&stream));
                if !answer.is_empty() {
                    let mark = log.iter().find_map(|asked| asked.header(MARK)).unwrap_or_default();
                    let _ = write!(stream, "HTTP/1.1 {}", answer.replace("MARK", mark));
                }
            }
        });
        Fake { endpoint, asked }
    }

    /// An answer in S3's own form.
    pub(super) fn error(status: &str, code: &str, message: &str) -> String {
        let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Self::answer(status, &xml)
    }

    pub(super) fn answer(status: &str, body: &str) -> String {
        format!("{status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    /// Bucket `b` of this store, prefix `p`.
    pub(super) fn bucket<'a>(&self, check: Check<'a>) -> Bucket<'a> {
        let url = format!("s3://b/p?endpoint={}&sse=AES256", self.endpoint);
        Bucket::open(&url, &Credentials::fake(), check).unwrap()
    }

    /// Every request so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Method and path of every request so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn read(mut stream: &TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let first = lines.remove(0);
    let mut words = first.split([' ', '?']);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let query = words.next().unwrap().to_owned();
    let lower = |line: &String| line.split_once(": ").map(|(n, v)| format!("{}: {v}", n.to_lowercase()));
    let mut asked = Asked {
        line: format!("{method} {path}"),
        query,
        headers: lines.iter().filter_map(lower).collect(),
        body: Vec::new(),
    };
    if asked.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let length: u64 = asked.header("content-length").unwrap_or("0").parse().unwrap();
    reader.take(length).read_to_end(&mut asked.body).unwrap();
    asked
}
