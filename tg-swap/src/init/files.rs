//! The texts of the new files: a pure function of the facts.

use serde_json::Value;

use super::facts::Facts;

const HAPROXY_CFG: &str = include_str!("haproxy.cfg");
const COMPOSE: &str = include_str!("compose.tg.yaml");

/// HAProxy's configuration.
pub(super) fn haproxy_cfg(facts: &Facts) -> String {
    fill(
        HAPROXY_CFG,
        &[
            ("service", facts.service.clone()),
            ("port", facts.port.to_string()),
            ("health_path", facts.health_path.clone()),
            ("slots", facts.slots().to_string()),
            ("any", (facts.slots() / 2).to_string()),
        ],
    )
}

/// The compose file that is added. JSON is YAML.
pub(super) fn compose(facts: &Facts) -> String {
    let json = |text: &str| Value::from(text).to_string();
    let networks = match facts.networks.as_slice() {
        [] => String::new(),
        names => format!("    networks: {}\n", Value::from(names)),
    };
    let restart = facts.restart.as_deref().map(|policy| format!("    restart: {}\n", json(policy)));
    fill(
        COMPOSE,
        &[
            ("service", facts.service.clone()),
            ("image", json(&facts.image)),
            ("restart", restart.unwrap_or_default()),
            ("ports", lines(facts.ports.iter().map(|port| format!("      - {port}\n")))),
            ("admin_port", facts.admin_port.to_string()),
            ("networks", networks),
            ("settings", lines(facts.settings.iter().map(|(key, value)| format!("  {key}: {value}\n")))),
        ],
    )
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect()
}

/// The template with each `{name}` replaced; what was put in is not looked at again.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let hit = values
            .iter()
            .find_map(|(name, value)| Some((value.as_str(), after.strip_prefix(name)?.strip_prefix('}')?)));
        let (value, left) = hit.unwrap_or(("{", after));
        text.push_str(value);
        rest = left;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> Facts {
        Facts {
            service: "web".into(),
            replicas: 6,
            ports: vec![
                json!("127.0.0.1:${PORT:-80}:8080"),
                json!({"target": 8080, "published": 81, "host_ip": "::1"}),
            ],
            port: 8080,
            health_path: "/healthz?x={port}".into(),
            restart: Some("no".into()),
            networks: vec!["front".into()],
            settings: json!({"api": ["web"], "health_port": 8080}).as_object().cloned().unwrap(),
            image: "haproxy:3.0".into(),
            admin_port: 9998,
        }
    }

    #[test]
    fn haproxy_gets_four_slots_for_each_replica_and_the_project_s_own_health_check() {
        let text = haproxy_cfg(&facts());
        assert!(text.contains("frontend public\n    bind :8080\n"), "{text}");
        let backend = text.split("\nbackend api\n").nth(1).unwrap();
        let lines: Vec<&str> = backend.lines().filter(|line| !line.contains('#')).collect();
        assert_eq!(
            lines,
            [
                "    balance roundrobin",
                "    option allbackups",
                "    option httpchk",
                "    http-check send meth GET uri /healthz?x={port}",
                "    http-check expect status 200",
                "    load-server-state-from-file global",
                "    default-server check inter 500ms downinter 200ms fall 2 rise 1 resolvers docker resolve-prefer ipv4 init-addr libc,none",
                "    server-template tg 1-24 lb:8080 disabled",
                "    server-template any 1-12 web:8080 backup init-addr none",
            ]
        );
        let few = haproxy_cfg(&Facts { replicas: 1, ..facts() });
        assert!(few.contains("tg 1-20 ") && few.contains("any 1-10 "), "{few}");
    }

    #[test]
    fn the_compose_file_moves_the_ports_as_they_were_written_and_keeps_every_setting() {
        let text = compose(&facts());
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        assert_eq!(
            lines.join("\n"),
            r#"
services:
  lb:
    image: "haproxy:3.0"
    command: ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]
    restart: "no"
    stop_signal: SIGUSR1
    stop_grace_period: 35s
    ports:
      - "127.0.0.1:${PORT:-80}:8080"
      - {"target":8080,"published":81,"host_ip":"::1"}
      - "127.0.0.1:9998:9999"   # full control over HAProxy: for this host alone
    volumes: ["./haproxy:/etc/haproxy:ro"]
    networks: ["front"]

  web:
    ports: !reset []

x-tg: !override
  api: ["web"]
  health_port: 8080
  balancer: {haproxy: "127.0.0.1:9998", backend: api, state: ./haproxy/servers.state}"#
        );
    }

    #[test]
    fn what_the_project_does_not_say_is_left_out() {
        let text =
            compose(&Facts { restart: None, networks: vec![], settings: serde_json::Map::new(), ..facts() });
        assert!(!text.contains("restart:") && !text.contains("networks:"), "{text}");
        assert!(text.contains("x-tg: !override\n  balancer: "), "{text}");
    }
}
