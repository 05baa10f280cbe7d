//! Servers for tests that take connections and are of no use: silent, slow without end, or talking nonsense.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What it does with a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mute {
    /// Never answers.
    Silent,
    /// Answers with these bytes, one at a time, again and again.
    Drips(&'static [u8]),
    /// Says these bytes at once, then is silent.
    Says(&'static [u8]),
    /// Answers the first question with these bytes, and no other one.
    Once(&'static [u8]),
}

/// One on a port of this host.
pub(crate) fn on_a_port(how: Mute) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::default();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| serve(stream, how, &asked)));
    address
}

/// One on a socket.
pub(crate) fn on_a_socket(path: &Path, how: Mute) {
    let listener = UnixListener::bind(path).unwrap();
    let asked = Arc::default();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| serve(stream, how, &asked)));
}

/// Each connection has a thread that ends with the test.
fn serve(mut stream: impl Read + Write + Send + 'static, how: Mute, asked: &Arc<AtomicBool>) {
    let asked = Arc::clone(asked);
    std::thread::spawn(move || match how {
        Mute::Silent => drop(stream.read_to_end(&mut Vec::new())),
        Mute::Drips(bytes) => {
            let drip = |byte: &u8| {
                std::thread::sleep(Duration::from_millis(10));
                stream.write_all(&[*byte])
            };
            let _ = bytes.iter().cycle().try_for_each(drip);
        }
        Mute::Says(bytes) => {
            let _ = stream.write_all(bytes);
            drop(stream.read_to_end(&mut Vec::new()));
        }
        Mute::Once(bytes) => {
            let heard = stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0);
            if heard && !asked.swap(true, Ordering::Relaxed) {
                let _ = stream.write_all(bytes);
            }
            drop(stream.read_to_end(&mut Vec::new()));
        }
    });
}
