//! What services need to be healthy before Compose starts them.

use std::collections::BTreeSet;

use serde_json::Value;
use tg_core::engine::Engine;
use tg_core::health::printable;
use tg_core::project::Project;
use tg_core::session::Session;

use crate::error::SwapError;

/// Characters of what a health check printed that are repeated.
const LONGEST: usize = 200;

/// Fails where Docker says that a service is unhealthy that one of these waits for. Compose would refuse, and say less of it.
pub(crate) fn must_be_healthy(
    session: &Session,
    project: &Project,
    engine: &Engine,
    services: &[String],
) -> Result<(), SwapError> {
    for name in of(services, &|name| project.service(name)) {
        for container in engine.running(&project.name, &name)? {
            if container.health.as_deref() == Some("unhealthy") {
                let said = session.emit.redactor().clean(&container.health_said);
                let (container, streak) = (container.name, container.failing_streak);
                return Err(SwapError::Unhealthy {
                    container,
                    streak,
                    said: printable(said.trim(), LONGEST),
                });
            }
        }
    }
    Ok(())
}

/// The services whose health these wait for, and those that they need in turn: Compose looks at them all.
fn of<'a>(services: &[String], model: &dyn Fn(&str) -> Option<&'a Value>) -> BTreeSet<String> {
    let (mut healthy, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), services.to_vec());
    while let Some(name) = open.pop() {
        let needs = model(&name).and_then(|service| service["depends_on"].as_object());
        if !seen.insert(name) {
            continue;
        }
        for (needed, how) in needs.into_iter().flatten() {
            if how["condition"] == "service_healthy" && how["required"] != false {
                healthy.insert(needed.clone());
            }
            open.push(needed.clone());
        }
    }
    healthy
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_waits_for_the_health_of_what_it_needs_and_of_what_that_needs() {
        let healthy = |name: &str| json!({name: {"condition": "service_healthy", "required": true}});
        let started = |name: &str| json!({name: {"condition": "service_started", "required": true}});
        let optional = json!({"cache": {"condition": "service_healthy", "required": false}});
        let models = json!({
            "worker": {"depends_on": started("api")}, "api": {"depends_on": healthy("db")},
            "db": {}, "mail": {"depends_on": optional},
        });
        let of = |name: &str| of(&[name.to_owned()], &|name| models.get(name));
        assert_eq!(of("worker"), BTreeSet::from(["db".to_owned()]));
        assert_eq!(of("api"), BTreeSet::from(["db".to_owned()]));
        assert!(of("db").is_empty() && of("mail").is_empty() && of("none").is_empty());
    }
}
