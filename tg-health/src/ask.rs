//! One question to one target, in a thread of its own.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tg_core::bounds::Bounds;
use tg_core::database;
use tg_core::health::{Prober, Verdict, printable};

use crate::target::{Ask, Target};

const LONGEST_TEXT: usize = 200;
/// Whether the server takes part in recovery: a query that every server answers.
const QUERY: &str = "SELECT pg_catalog.pg_is_in_recovery()";

/// Who is asked by its number, and what it said.
pub(crate) type Answer = (usize, Verdict);

/// Asks; the answer comes through the channel.
///
/// The thread is not joined: neither a lookup that hangs in the resolver nor a slow server keeps
/// us from ending in time; such a thread ends with the process.
pub(crate) fn begin(
    number: usize,
    target: &Target,
    prober: &Arc<Prober>,
    limit: Duration,
    answers: &Sender<Answer>,
) {
    let (ask, prober, answers) = (target.ask.clone(), Arc::clone(prober), answers.clone());
    std::thread::spawn(move || {
        let begun = Instant::now();
        let mut verdict = match &ask {
            Ask::Told(verdict) => verdict.as_ref().clone(),
            Ask::Http(url) => prober.probe(url, limit),
            Ask::Tcp(host, port) => connect(host, *port, limit),
            Ask::Postgres(target) => query(target, limit),
        };
        if !matches!(ask, Ask::Told(_)) {
            verdict.latency_ms.get_or_insert((begun.elapsed().as_secs_f64() * 10_000.0).round() / 10.0);
        }
        // Nobody listens when it is late.
        let _ = answers.send((number, verdict));
    });
}

/// Ready is who takes the connection, at any address of the name.
fn connect(host: &str, port: u16, limit: Duration) -> Verdict {
    let Ok(addresses) = (host, port).to_socket_addrs() else {
        return Verdict { environment: true, ..Verdict::no("its host name is not known") };
    };
    let mut reason = "its host name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(_) => return Verdict { ready: true, ..Verdict::default() },
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                "connection refused".clone_into(&mut reason);
            }
            Err(error) => reason = printable(&error.to_string(), LONGEST_TEXT),
        }
    }
    Verdict::no(reason)
}

/// Ready is who answers a query: a server that starts up or shuts down takes connections as well.
fn query(target: &database::Target, limit: Duration) -> Verdict {
    let target = target.clone().bounded(Bounds::within(limit));
    let mut client = match target.connect("tg-health", None) {
        Ok(client) => client,
        Err(error) => {
            let environment = matches!(error, tg_core::Error::DatabaseRefused { .. });
            return Verdict { environment, ..Verdict::no(printable(&error.to_string(), LONGEST_TEXT)) };
        }
    };
    match client.query_one(QUERY, &[]) {
        Ok(row) => {
            let says = if row.get(0) { "standby" } else { "primary" };
            Verdict { ready: true, says: Some(says.into()), ..Verdict::default() }
        }
        Err(error) => Verdict::no(printable(&error.to_string(), LONGEST_TEXT)),
    }
}
