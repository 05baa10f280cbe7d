//! nginx's processes, by the titles that they give themselves. nginx, `src/os/unix/ngx_process_cycle.c`

use std::collections::HashSet;

use crate::inside::Process;

/// What the master is called, before its own command line.
const MASTER: &str = "nginx: master process ";
/// What a worker is called that takes new requests.
const WORKER: &str = "nginx: worker process";
/// What one is called that only ends those it has.
const LEAVING: &str = "nginx: worker process is shutting down";

/// The workers of a container.
pub(super) struct Workers {
    taking: HashSet<u32>,
    old: u64,
}

impl Workers {
    pub(super) fn among(processes: &[Process]) -> Self {
        let called = |name: &'static str| processes.iter().filter(move |p| p.command.trim() == name);
        Workers {
            taking: called(WORKER).map(|process| process.pid).collect(),
            old: u64::try_from(called(LEAVING).count()).unwrap_or(u64::MAX),
        }
    }

    /// Workers of sets before, which have requests in flight.
    pub(super) fn old(&self) -> u64 {
        self.old
    }

    /// Whether all that take new requests have come since.
    pub(super) fn have_replaced(&self, before: &Workers) -> bool {
        !self.taking.is_empty() && self.taking.is_disjoint(&before.taking)
    }
}

/// How nginx is called so that it means the configuration of the master that runs: by the same
/// program, with the same file and prefix.
pub(super) fn command(processes: &[Process]) -> Vec<&str> {
    let title = processes.iter().find_map(|process| process.command.trim().strip_prefix(MASTER));
    let words: Vec<&str> = title.unwrap_or("nginx").split_whitespace().collect();
    let places = words.windows(2).filter(|pair| matches!(pair[0], "-c" | "-p")).flatten();
    words.iter().take(1).chain(places).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processes(processes: &[(u32, &str)]) -> Vec<Process> {
        processes.iter().map(|&(pid, command)| Process { pid, command: command.into() }).collect()
    }

    fn workers(all: &[(u32, &str)]) -> Workers {
        Workers::among(&processes(all))
    }

    const MASTER: (u32, &str) = (10, "nginx: master process nginx -g daemon off;");

    #[test]
    fn a_reload_is_over_when_no_worker_from_before_takes_new_requests() {
        let before = workers(&[MASTER, (11, WORKER), (12, WORKER)]);
        let both = workers(&[MASTER, (11, WORKER), (12, WORKER), (21, WORKER), (22, WORKER)]);
        let leaving = workers(&[MASTER, (11, LEAVING), (21, WORKER), (22, WORKER)]);
        assert!(!before.have_replaced(&before) && !both.have_replaced(&before));
        assert!(leaving.have_replaced(&before));
        assert_eq!((both.old(), leaving.old()), (0, 1));
    }

    #[test]
    fn without_any_worker_nothing_has_been_replaced() {
        let (before, nobody) = (workers(&[MASTER, (11, WORKER)]), workers(&[MASTER, (11, LEAVING)]));
        assert!(!nobody.have_replaced(&before));
    }

    #[test]
    fn a_restart_of_nginx_leaves_nobody_of_before() {
        let after = workers(&[(30, MASTER.1), (31, WORKER)]);
        assert!(after.have_replaced(&workers(&[MASTER, (11, WORKER), (12, LEAVING)])));
        assert_eq!(after.old(), 0);
    }

    #[test]
    fn the_masters_own_file_is_meant_and_not_the_default() {
        assert_eq!(command(&processes(&[MASTER])), ["nginx"]);
        let elsewhere = "nginx: master process /opt/nginx -c /etc/lb/nginx.conf -g daemon off;";
        assert_eq!(command(&processes(&[(1, elsewhere)])), ["/opt/nginx", "-c", "/etc/lb/nginx.conf"]);
        assert_eq!(command(&[]), ["nginx"]);
    }
}
