//! A runtime API that plays one story, for fast tests; real ones are in the lab.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::slots::tests::answer;

/// Lines that a runtime API was asked, and how many slots were well then.
pub(super) type Asked = Arc<Mutex<Vec<(String, usize)>>>;

/// An HAProxy of two slots whose checks pass one after the other, each at one more look after
/// they were named.
pub(super) fn checking_slots() -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    std::thread::spawn(move || {
        let (mut admin, mut well) = (5, 0);
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let line = line.trim().to_owned();
            told.lock().unwrap().push((line.clone(), well));
            let said = if line.starts_with("show") {
                let state = |slot: usize| if slot < well { 2 } else { 0 };
                let text = answer(&[
                    ("tg1", "10.0.0.1", state(0), admin, if admin == 5 { "lb" } else { "a" }),
                    ("tg2", "10.0.0.2", state(1), admin, if admin == 5 { "lb" } else { "b" }),
                ]);
                well = if admin == 5 { 0 } else { well + 1 };
                text
            } else {
                admin = if line.contains("state ready") { 68 } else { 76 };
                "\n".to_owned()
            };
            stream.write_all(said.as_bytes()).unwrap();
        }
    });
    (place, asked)
}
