//! A gate before the Docker engine: one request waits there, and goes on even when its asker is gone.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

pub(crate) const ENGINE: &str = "/var/run/docker.sock";

pub(crate) struct Gate {
    socket: PathBuf,
    waiting: Receiver<()>,
    open: Sender<()>,
}

impl Gate {
    /// Listens on this socket; a request with this text in it is held.
    pub(crate) fn before(socket: &Path, text: &str) -> Self {
        let (waits, waiting) = mpsc::channel();
        let (open, opened) = mpsc::channel();
        let opened = Arc::new(Mutex::new(opened));
        let listener = UnixListener::bind(socket).unwrap();
        let text = text.to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let engine = UnixStream::connect(ENGINE).unwrap();
                let (mut answers, mut asker) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut answers, &mut asker));
                let (text, waits, opened) = (text.clone(), waits.clone(), Arc::clone(&opened));
                std::thread::spawn(move || forward(client, engine, &text, &waits, &opened));
            }
        });
        Gate { socket: socket.into(), waiting, open }
    }

    /// For `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    pub(crate) fn await_request(&self) {
        self.waiting.recv_timeout(super::PATIENCE).unwrap();
    }

    pub(crate) fn open(&self) {
        self.open.send(()).unwrap();
    }
}

fn forward(
    mut client: UnixStream,
    mut engine: UnixStream,
    text: &str,
    waits: &Sender<()>,
    opened: &Mutex<Receiver<()>>,
) {
    let mut bytes = [0; 8 << 10];
    while let Ok(n @ 1..) = client.read(&mut bytes) {
        if String::from_utf8_lossy(&bytes[..n]).contains(text) {
            waits.send(()).unwrap();
            opened.lock().unwrap().recv().unwrap();
        }
        engine.write_all(&bytes[..n]).unwrap();
    }
}
