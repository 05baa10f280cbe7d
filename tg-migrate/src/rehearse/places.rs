//! Where a database may be asked for: the hosts and ports that the application's settings name.

use std::collections::BTreeSet;

use tg_core::connection_string;
use tg_core::database::PORT;
use tg_core::project::Project;

/// A host, or a directory with a socket, and a port.
pub(super) type Place = (String, u16);

/// Whatever the environment of these services says of a PostgreSQL server, and the database service itself.
pub(super) fn named(project: &Project, services: &[String]) -> BTreeSet<Place> {
    let mut places = BTreeSet::from([(project.database.clone(), PORT)]);
    for service in services {
        let environment = project.service(service).and_then(|s| s["environment"].as_object());
        for name in environment.into_iter().flatten().map(|(name, _)| name) {
            let bare = name.strip_suffix("_FILE").unwrap_or(name);
            let value = project.variable(service, bare).unwrap_or_default();
            let port = || sibling(project, service, bare).unwrap_or(PORT);
            places.extend(
                connection_string::places(&value)
                    .into_iter()
                    .map(|(host, port)| (host, port.unwrap_or(PORT))),
            );
            if is_host(bare) {
                places.extend(value.split(',').map(|host| (host.trim().to_owned(), port())));
            }
        }
    }
    places.retain(|(host, _)| !host.is_empty());
    places
}

/// Whether a variable's name says that it holds the host of a database.
fn is_host(name: &str) -> bool {
    ["PGHOST", "PGHOSTADDR"].contains(&name)
        || ["DB_HOST", "DATABASE_HOST", "POSTGRES_HOST", "DB_HOSTNAME", "POSTGRES_SERVER", "DB_SERVER"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// The port that stands beside a host: `PGPORT` of `PGHOST`, `DB_PORT` of `DB_HOST`.
fn sibling(project: &Project, service: &str, host: &str) -> Option<u16> {
    let end = ["HOSTADDR", "HOSTNAME", "HOST", "SERVER"].into_iter().find(|end| host.ends_with(end))?;
    let name = format!("{}PORT", host.strip_suffix(end)?);
    project.variable(service, &name)?.trim().parse().ok()
}
