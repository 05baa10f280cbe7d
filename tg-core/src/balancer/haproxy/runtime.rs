//! HAProxy's runtime API: one connection a question. <https://docs.haproxy.org/3.0/management.html#9.3>

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::balancer::BalancerError;

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Commands in one line: a line must fit HAProxy's buffer of 16 KiB.
const COMMANDS_A_LINE: usize = 60;

/// Where the runtime API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Tcp(String),
    Unix(PathBuf),
}

impl Place {
    /// `host:port`, or a path relative to the project's directory.
    pub(super) fn parse(text: &str, directory: &Path) -> Self {
        if text.contains('/') { Place::Unix(directory.join(text)) } else { Place::Tcp(text.to_owned()) }
    }

    /// The answer to one line of commands.
    pub(super) fn ask(&self, line: &str) -> Result<String, BalancerError> {
        let answer = match self {
            Place::Tcp(place) => connect(place).and_then(|stream| {
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                exchange(stream, line)
            }),
            Place::Unix(path) => UnixStream::connect(path).and_then(|stream| {
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                exchange(stream, line)
            }),
        };
        let answer = answer.map_err(|e| self.unreachable(&e.to_string()))?;
        if answer.starts_with("Permission denied") {
            return Err(BalancerError::NotPrepared {
                problem: "its runtime API may not change anything".into(),
                hint: "write level admin at the end of its stats socket line".into(),
            });
        }
        // A listener whose HAProxy is not there yet accepts and closes.
        if answer.is_empty() { Err(self.unreachable("it closed the connection")) } else { Ok(answer) }
    }

    /// Gives orders, and fails with what is said against any of them.
    pub(super) fn order(&self, commands: &[String]) -> Result<(), BalancerError> {
        for some in commands.chunks(COMMANDS_A_LINE) {
            let line = some.join("; ");
            let answer = self.ask(&line)?;
            let complaint = answer.lines().map(str::trim).find(|l| !l.is_empty() && !harmless(l));
            if let Some(problem) = complaint {
                return Err(BalancerError::Refused { what: line, problem: problem.to_owned() });
            }
        }
        Ok(())
    }

    fn unreachable(&self, problem: &str) -> BalancerError {
        let place = match self {
            Place::Tcp(place) => place.clone(),
            Place::Unix(path) => path.display().to_string(),
        };
        BalancerError::Unreachable { place, problem: problem.to_owned() }
    }
}

fn harmless(line: &str) -> bool {
    line.contains("changed its FQDN") || line.contains("no need to change")
}

fn connect(place: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "no such host");
    for address in place.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn exchange(mut stream: impl Read + Write, line: &str) -> std::io::Result<String> {
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
