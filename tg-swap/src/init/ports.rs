//! The ports that the API publishes, and whether a balancer can take them over.

use serde_json::Value;
use tg_core::Error;

use super::error::InitError;

/// The one container port that is published, once or several times.
pub(super) fn judge(service: &str, ports: &Value, admin_port: u16) -> Result<u16, InitError> {
    let ports = ports.as_array().map(Vec::as_slice).unwrap_or_default();
    let refused = |code, problem: &str| {
        Err(InitError::refused(
            code,
            format!("service {service} publishes {problem}"),
            "publish one TCP port, or write HAProxy's configuration yourself and name it in x-tg.balancer",
        ))
    };
    let published = |port: &Value| port["published"].as_str().unwrap_or_default().to_owned();
    if ports.is_empty() {
        return refused("no-port", "no port");
    }
    if ports.iter().any(|port| port["protocol"] != "tcp") {
        return refused("not-tcp", "a port that is not TCP");
    }
    if ports.iter().any(|port| published(port).contains('-')) {
        return refused("port-range", "a range of ports");
    }
    let mut targets: Vec<u16> =
        ports.iter().filter_map(|port| u16::try_from(port["target"].as_u64()?).ok()).collect();
    targets.sort_unstable();
    targets.dedup();
    let [target] = targets.as_slice() else {
        return refused("several-ports", &format!("{} different ports", targets.len()));
    };
    if ports.iter().any(|port| published(port) == admin_port.to_string()) {
        return Err(InitError::Core(Error::Usage {
            problem: format!(
                "service {service} publishes port {admin_port}, where HAProxy's runtime API shall be"
            ),
            hint: "name another with --admin-port".into(),
        }));
    }
    Ok(*target)
}

/// Whether a program listens there: then Compose would stop the API and could not start HAProxy.
pub(super) fn must_be_free(port: u16) -> Result<(), InitError> {
    match std::net::TcpListener::bind(("127.0.0.1", port)) {
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => Err(InitError::PortTaken(port)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tg_core::{Exit, Fault};

    use super::*;

    fn port(published: &str, target: u16, protocol: &str) -> Value {
        json!({"mode": "ingress", "host_ip": "127.0.0.1", "target": target, "published": published, "protocol": protocol})
    }

    #[test]
    fn one_port_may_be_published_at_several_places_and_at_a_random_one() {
        let random = json!({"mode": "ingress", "target": 3000, "protocol": "tcp"});
        let ports = json!([port("80", 3000, "tcp"), port("8080", 3000, "tcp"), random]);
        assert_eq!(judge("api", &ports, 9999).unwrap(), 3000);
    }

    #[test]
    fn what_one_frontend_cannot_take_over_is_refused_by_its_name() {
        for (ports, code) in [
            (Value::Null, "no-port"),
            (json!([port("80", 3000, "tcp"), port("81", 3001, "tcp")]), "several-ports"),
            (json!([port("53", 3000, "udp")]), "not-tcp"),
            (json!([port("8080-8090", 3000, "tcp")]), "port-range"),
        ] {
            let error = judge("api", &ports, 9999).unwrap_err();
            assert_eq!((error.exit(), error.code()), (Exit::Refused, code));
        }
    }

    #[test]
    fn the_runtime_api_cannot_be_where_the_api_is() {
        assert_eq!(judge("api", &json!([port("9999", 3000, "tcp")]), 9999).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_seen() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        assert_eq!(must_be_free(port).unwrap_err().exit(), Exit::Environment);
        drop(held);
        must_be_free(port).unwrap();
    }
}
