//! Failures that may pass without anybody's doing. A step waits for these, up to its limit, before it is judged; every
//! other failure ends it at once.

use std::time::Duration;

use crate::Error;

/// How long a container that is stopped or removed may hold a name, a port or a network: the grace that Compose gives by
/// default, three times. <https://docs.docker.com/reference/compose-file/services/#stop_grace_period>
const RELEASE: Duration = Duration::from_secs(30);

/// Why something failed that may work a moment later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// The engine, the load balancer or a registry does not answer.
    Away,
    /// The health check of a service that others depend on fails.
    Dependency,
    /// A container that is being stopped or removed still holds a name, a port or a network.
    Held,
    /// The engine has no address range left for a network.
    AddressPools,
    /// The host has no process or memory to spare.
    Busy,
}

/// What Compose, the docker program and the engine say of each; all words of a line must be there. They have no
/// exit codes for it, so this is the one place where their text decides.
const SAYINGS: [(Passing, &[&str]); 29] = [
    (Passing::Dependency, &["dependency failed to start", "is unhealthy"]),
    (Passing::AddressPools, &["non-overlapping IPv4 address pool"]),
    (Passing::AddressPools, &["address pools have been fully subnetted"]),
    (Passing::Held, &["port is already allocated"]),
    (Passing::Held, &["bind: address already in use"]),
    (Passing::Held, &["container name", "is already in use by container"]),
    (Passing::Held, &["is marked for removal"]),
    (Passing::Held, &["removal of container", "is already in progress"]),
    (Passing::Held, &["No such container"]),
    (Passing::Held, &["network", "not found"]),
    (Passing::Held, &["device or resource busy"]),
    (Passing::Busy, &["resource temporarily unavailable"]),
    (Passing::Busy, &["cannot allocate memory"]),
    (Passing::Away, &["Cannot connect to the Docker daemon"]),
    (Passing::Away, &["error during connect"]),
    (Passing::Away, &["connection refused"]),
    (Passing::Away, &["connection reset"]),
    (Passing::Away, &["EOF"]),
    (Passing::Away, &["i/o timeout"]),
    (Passing::Away, &["TLS handshake timeout"]),
    (Passing::Away, &["context deadline exceeded"]),
    (Passing::Away, &["Client.Timeout exceeded"]),
    (Passing::Away, &["transport is closing"]),
    (Passing::Away, &["ttrpc: closed"]),
    (Passing::Away, &["502 Bad Gateway"]),
    (Passing::Away, &["503 Service Unavailable"]),
    (Passing::Away, &["504 Gateway Time"]),
    (Passing::Away, &["toomanyrequests"]),
    (Passing::Away, &["temporary failure in name resolution"]),
];

impl Passing {
    /// Why this failure may pass; `None` where it stays until somebody changes something.
    #[must_use]
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::EngineUnreachable(_) => Some(Passing::Away),
            // The engine's own status code: it is starting, or too busy.
            Error::Engine(problem) if problem.starts_with("503 ") => Some(Passing::Away),
            Error::ProgramFailed { problem, .. } | Error::Engine(problem) => Self::said(problem),
            _ => None,
        }
    }

    /// The same by the words of the docker program or the engine.
    #[must_use]
    pub fn said(text: &str) -> Option<Self> {
        SAYINGS.iter().find(|(_, words)| words.iter().all(|word| text.contains(word))).map(|(kind, _)| *kind)
    }

    /// How long it is worth waiting for, where that is known.
    #[must_use]
    pub fn at_most(self) -> Option<Duration> {
        match self {
            Passing::Held | Passing::AddressPools => Some(RELEASE),
            Passing::Away | Passing::Dependency | Passing::Busy => None,
        }
    }

    /// For machines.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Passing::Away => "away",
            Passing::Dependency => "dependency-unhealthy",
            Passing::Held => "held",
            Passing::AddressPools => "address-pools",
            Passing::Busy => "host-busy",
        }
    }

    /// The cure where it stays.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Passing::Away => "check that the docker engine and what it asks answer: docker info",
            Passing::Dependency => {
                "see docker compose ps and the log of the service whose health check fails"
            }
            Passing::Held => {
                "see docker ps -a, and ss -ltnp for a port of the host: stop or remove what holds it"
            }
            Passing::AddressPools => {
                "remove networks that nothing uses (docker network ls), or give the engine more: default-address-pools in daemon.json"
            }
            Passing::Busy => "see the load, the memory and the process limits of this host",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(problem: &str) -> Option<Passing> {
        let (program, status) = ("docker compose".to_owned(), "exit 1".to_owned());
        Passing::of(&Error::ProgramFailed { program, status, problem: problem.to_owned() })
    }

    #[test]
    fn what_docker_says_of_a_moment_is_known_by_its_words() {
        use Passing::{AddressPools, Away, Busy, Dependency, Held};
        for (kind, text) in [
            (Dependency, "dependency failed to start: container app-db-1 is unhealthy"),
            (
                AddressPools,
                "failed to create network app_default: Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
            ),
            (
                AddressPools,
                "Error response from daemon: all predefined address pools have been fully subnetted",
            ),
            (
                Held,
                "Error response from daemon: driver failed programming external connectivity on endpoint app-api-1 (57dc): Bind for 127.0.0.1:8099 failed: port is already allocated",
            ),
            (
                Held,
                "Error response from daemon: driver failed programming external connectivity on endpoint app-api-1 (57dc): Error starting userland proxy: listen tcp4 127.0.0.1:8098: bind: address already in use",
            ),
            (
                Held,
                "Error response from daemon: Conflict. The container name \"/app-api-1\" is already in use by container \"ac17\". You have to remove (or rename) that container to be able to reuse that name.",
            ),
            (Held, "Error response from daemon: container is marked for removal and cannot be started"),
            (Held, "Error response from daemon: removal of container app-api-1 is already in progress"),
            (Held, "Error response from daemon: No such container: 57dc5fd7d6bb"),
            (Held, "Error response from daemon: network 1c2d not found"),
            (
                Held,
                "Error response from daemon: container 57dc: driver \"overlay2\" failed to remove root filesystem: unlinkat /var/lib/docker/x: device or resource busy",
            ),
            (
                Busy,
                "Error response from daemon: failed to create shim: fork/exec /usr/bin/containerd-shim: resource temporarily unavailable",
            ),
            (
                Busy,
                "Error response from daemon: OCI runtime create failed: fork/exec /proc/self/exe: cannot allocate memory",
            ),
            (
                Away,
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            ),
            (
                Away,
                "error during connect: Post \"http://%2Fvar%2Frun%2Fdocker.sock/v1.41/containers/57dc/start\": EOF",
            ),
            (
                Away,
                "Error response from daemon: Get \"https://r.example/v2/\": dial tcp 10.0.0.1:443: connect: connection refused",
            ),
            (
                Away,
                "Error response from daemon: read tcp 10.0.0.2:4242->10.0.0.1:443: read: connection reset by peer",
            ),
            (Away, "unexpected EOF"),
            (
                Away,
                "Error response from daemon: Get \"https://r.example/v2/\": dial tcp 10.0.0.1:443: i/o timeout",
            ),
            (
                Away,
                "Error response from daemon: Get \"https://r.example/v2/\": net/http: TLS handshake timeout",
            ),
            (
                Away,
                "Error response from daemon: failed to create task for container: context deadline exceeded",
            ),
            (
                Away,
                "Get \"https://r.example/v2/\": net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
            ),
            (Away, "Error response from daemon: transport is closing: unavailable"),
            (Away, "Error response from daemon: ttrpc: closed: unknown"),
            (Away, "received unexpected HTTP status: 502 Bad Gateway"),
            (Away, "received unexpected HTTP status: 503 Service Unavailable"),
            (Away, "received unexpected HTTP status: 504 Gateway Timeout"),
            (Away, "toomanyrequests: too many requests to this registry"),
            (Away, "dial tcp: lookup r.example: temporary failure in name resolution"),
        ] {
            assert_eq!(said(text), Some(kind), "{text}");
        }
    }

    #[test]
    fn what_stays_until_somebody_changes_something_is_not_waited_for() {
        for text in [
            "Error response from daemon: no such image: r/app:1.9.0: No such image: r/app:1.9.0",
            "Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"node\": executable file not found in $PATH: unknown",
            "exec /usr/bin/node: exec format error",
            "Error response from daemon: invalid mount config for type \"bind\": bind source path does not exist: /srv/x",
            "unknown flag: --no-such",
            "dependency failed to start: container app-db-1 exited (1)",
            "service \"setup\" didn't complete successfully: exit 1",
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "manifest for r/app:1.9.0 not found: manifest unknown: manifest unknown",
            "service \"api\" refers to undefined network x: invalid compose project",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
    }

    #[test]
    fn the_engine_s_status_code_and_its_silence_count_before_its_words() {
        assert_eq!(Passing::of(&Error::Engine("503 starting".into())), Some(Passing::Away));
        assert_eq!(Passing::of(&Error::EngineUnreachable("no answer".into())), Some(Passing::Away));
        assert_eq!(Passing::of(&Error::Engine("404 no such image: r/app".into())), None);
        assert_eq!(Passing::of(&Error::Sql("connection refused".into())), None);
    }
}
