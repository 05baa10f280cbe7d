//! What is in flight, where no balancer tells: TCP connections that stand on an instance's port,
//! counted in its container's own network. <https://docs.kernel.org/networking/proc_net_tcp.html>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Error;
use crate::container::Container;
use crate::engine::Engine;

/// `TCP_ESTABLISHED`. Linux, include/net/tcp_states.h.
const ESTABLISHED: &str = "01";
/// The tables of a network namespace.
const TABLES: [&str; 2] = ["tcp", "tcp6"];

/// Connections to a port of a container that are established, without those of its own health check.
/// One that a balancer keeps idle for later counts too: this is never too low, and reaches zero only
/// when the balancer lets go, which may be minutes after the last answer. `None` where neither this host nor the container shows its sockets.
pub fn in_flight(engine: &Engine, container_id: &str, port: u16) -> Result<Option<u64>, Error> {
    let Some(container) = engine.inspect(container_id)?.filter(Container::running) else {
        return Ok(Some(0));
    };
    if let Some(tables) = container.pid.and_then(|pid| tables_here(pid, &container.id)) {
        return Ok(Some(established(&tables, port)));
    }
    in_container(engine, container_id, port)
}

/// The same by a command inside it, for an engine on another host.
pub(super) fn in_container(engine: &Engine, container_id: &str, port: u16) -> Result<Option<u64>, Error> {
    // A kernel without IPv6 has no tcp6, which is no reason to fail.
    let (_, tables) = engine.exec(container_id, &["cat", "/proc/net/tcp", "/proc/net/tcp6"])?;
    let told = tables.contains("local_address");
    Ok(told.then(|| established(&tables, port)))
}

/// The tables as this host has them; `None` where the engine runs elsewhere, and its process ids are
/// those of strangers here.
fn tables_here(pid: u32, container_id: &str) -> Option<String> {
    let ours = || {
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"));
        groups.is_ok_and(|groups| groups.contains(container_id))
    };
    let read = |table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok();
    if !ours() {
        return None;
    }
    let tables: Vec<String> = TABLES.into_iter().filter_map(read).collect();
    // A process that has ended meanwhile may have left its number to another.
    (!tables.is_empty() && ours()).then(|| tables.concat())
}

fn established(tables: &str, port: u16) -> u64 {
    let rows = tables.lines().filter(|row| counts(row, port).unwrap_or(false));
    u64::try_from(rows.count()).unwrap_or(u64::MAX)
}

/// Whether a row is a connection from elsewhere to this port; `None` for what is no row.
fn counts(row: &str, port: u16) -> Option<bool> {
    let mut words = row.split_whitespace().skip(1);
    let (local, remote, state) = (end(words.next()?)?, end(words.next()?)?, words.next()?);
    let outside = !remote.0.is_loopback() && remote.0 != local.0;
    Some(local.1 == port && state == ESTABLISHED && outside)
}

/// `0100007F:0BB8`: words of the address in the host's byte order, and the port.
fn end(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(words.as_flattened());
            // A server that listens on IPv6 has its IPv4 connections there too.
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:ADD7 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 148123 1 0 100 0 0 10 0
   1: 030013AC:0BB8 050013AC:D4B0 01 00000000:00000000 03:00001759 00000000     0        0 0 3 00000000a622880d
   2: 030013AC:0BB8 050013AC:D4B2 06 00000000:00000000 03:00001759 00000000     0        0 0 3 00000000a622880d
   3: 0100007F:0BB8 0100007F:D4B4 01 00000000:00000000 03:00001759 00000000     0        0 0 3 00000000a622880d
   4: 030013AC:0BB8 030013AC:D4B5 01 00000000:00000000 03:00001759 00000000     0        0 0 3 00000000a622880d
   5: 030013AC:D4B6 060013AC:1538 01 00000000:00000000 03:00001759 00000000     0        0 0 3 00000000a622880d
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 147392 1 0 100 0 0 10 0
   1: 0000000000000000FFFF0000030013AC:0BB8 0000000000000000FFFF0000050013AC:9C40 01 00000000:00000000 00:00000000 00000000     0        0 147392 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:0BB8 0000000000000000FFFF00000100007F:9C42 01 00000000:00000000 00:00000000 00000000     0        0 147392 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:0BB8 00000000000000000000000001000000:9C44 01 00000000:00000000 00:00000000 00000000     0        0 147392 1 0 100 0 0 10 0
   4: B80D0120000000000000000001000000:0BB8 B80D0120000000000000000002000000:9C46 01 00000000:00000000 00:00000000 00000000     0        0 147392 1 0 100 0 0 10 0
";

    #[test]
    fn only_established_connections_from_elsewhere_to_the_port_count() {
        assert_eq!(established(TCP, 3000), 1, "no listener, no TIME_WAIT, not its own check, no database");
        assert_eq!(established(TCP, 5432), 0);
    }

    #[test]
    fn ipv6_counts_and_so_does_ipv4_inside_it_but_neither_loopback() {
        assert_eq!(established(TCP6, 3000), 2);
        assert_eq!(established(&format!("{TCP}{TCP6}"), 3000), 3);
    }

    #[test]
    fn what_is_no_table_counts_nothing() {
        assert_eq!(established("cat: /proc/net/tcp6: No such file or directory\n0: x:y z 01\n", 3000), 0);
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(end("030013AC:0BB8"), Some(("172.19.0.3".parse().unwrap(), 3000)));
        assert_eq!(
            end("B80D0120000000000000000002000000:9C46"),
            Some(("2001:db8::2".parse().unwrap(), 40006))
        );
    }

    #[test]
    fn a_process_that_is_not_of_the_container_is_a_stranger() {
        assert_eq!(tables_here(std::process::id(), "0123456789abcdef"), None);
    }
}
