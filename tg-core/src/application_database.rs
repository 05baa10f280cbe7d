//! Which database is the application's: what its services' own connections name on the database service.

use std::collections::BTreeSet;

use crate::Error;
use crate::application_url::{self, Connection, Environment};
use crate::database_service::{self, Place};
use crate::project::Project;

/// The databases that every server has: an application that names one of them and another keeps its data in the other.
const MAINTENANCE: [&str; 3] = ["postgres", "template0", "template1"];
/// What images that stand between an application and its database are called.
const POOLERS: [&str; 7] = ["bouncer", "pgcat", "pgpool", "odyssey", "supavisor", "pgdog", "pgagroal"];

/// Asks for the environment of a service's running container; nothing where none runs or it can't be asked.
pub(crate) type Running<'a> = &'a dyn Fn(&str) -> Option<Environment>;

/// A connection to the database service, directly or through a pooler.
#[derive(Clone)]
pub(crate) struct ToService {
    pub connection: Connection,
    /// Of the database's container; nothing through a pooler.
    pub port: Option<u16>,
}

/// What an application's connections come to.
#[derive(Default)]
pub(crate) struct Application {
    /// To the database service, in the order of the services.
    pub here: Vec<ToService>,
    /// To PostgreSQL elsewhere.
    pub elsewhere: Vec<Connection>,
}

impl Application {
    /// As the Compose file has them; where it names no database, as the running containers have them.
    pub(crate) fn of(project: &Project, running: Running) -> Self {
        let services = services(project);
        let mut found = Application::default();
        for service in &services {
            let environment = application_url::environment(project, service);
            found.take(project, service, &environment);
        }
        if found.names().is_empty() {
            let mut now = Application::default();
            for service in &services {
                now.take(project, service, &running(service).unwrap_or_default());
            }
            // A default of an image is no word about where the application really goes.
            found.here.extend(now.here);
        }
        found
    }

    fn take(&mut self, project: &Project, service: &str, environment: &Environment) {
        let command = application_url::command(project, service);
        for connection in application_url::connections(service, environment, &command) {
            let place = connection.host.as_ref().map_or(Place::Database(crate::database::PORT), |host| {
                database_service::place(project, service, host, connection.port)
            });
            match place {
                Place::Database(port) => self.here.push(ToService { connection, port: Some(port) }),
                Place::Service(other) if is_pooler(project, &other) => {
                    self.here.push(ToService { connection, port: None });
                }
                Place::Service(_) | Place::Outside if connection.certain => self.elsewhere.push(connection),
                Place::Service(_) | Place::Outside | Place::Itself => {}
            }
        }
    }

    /// The names of the databases on the database service.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let all: BTreeSet<&str> = self.here.iter().filter_map(|c| c.connection.name.as_deref()).collect();
        let own: BTreeSet<&str> = all.iter().copied().filter(|name| !MAINTENANCE.contains(name)).collect();
        if own.is_empty() { all } else { own }
    }

    /// The connection to the one database; nothing where none is named.
    pub(crate) fn one(&self, project: &Project) -> Result<Option<&ToService>, Error> {
        let names = self.names();
        let database = &project.database;
        if names.len() > 1 {
            let told = names.iter().filter_map(|name| self.to(name)).map(|c| c.connection.describe());
            let told = told.collect::<Vec<_>>().join(", ");
            return Err(unclear(format!("on service {database} it has {} databases: {told}", names.len())));
        }
        if let Some(name) = names.first() {
            return Ok(self.to(name));
        }
        match self.elsewhere.first() {
            Some(other) if self.here.is_empty() && project.service(database).is_some() => {
                let host = other.host.as_deref().unwrap_or_default();
                let cure = match project.service(host) {
                    Some(_) => format!("say database: {host} under x-tg, or {CURE}"),
                    None => CURE.to_owned(),
                };
                Err(Error::WhichDatabase {
                    problem: format!("{} is at {host}, and not at service {database}", other.describe()),
                    hint: cure,
                })
            }
            _ => Ok(None),
        }
    }

    /// The first connection to a database of this name: with a password, if there is one.
    pub(crate) fn to(&self, name: &str) -> Option<&ToService> {
        let mut all = self.here.iter().filter(|c| c.connection.name.as_deref() == Some(name));
        let first = all.clone().next();
        all.find(|c| c.connection.password.is_some()).or(first)
    }

    /// The only connection to PostgreSQL that there is, where the project has no database service.
    pub(crate) fn only_elsewhere(&self) -> Result<Option<&Connection>, Error> {
        let places: BTreeSet<_> = self.elsewhere.iter().map(|c| (&c.host, c.port, &c.name)).collect();
        if places.len() > 1 {
            let told = self.elsewhere.iter().map(Connection::describe).collect::<Vec<_>>().join(", ");
            return Err(unclear(format!("it has several: {told}")));
        }
        Ok(self.elsewhere.first())
    }
}

const CURE: &str = "write the URL of the right one into a file and name it with x-tg: database_url_file, TG_DATABASE_URL_FILE or --database-url-file";

fn unclear(problem: String) -> Error {
    Error::WhichDatabase { problem, hint: CURE.into() }
}

impl Connection {
    /// `app (DATABASE_URL of service api)`
    pub(crate) fn describe(&self) -> String {
        format!("{} ({})", self.name.as_deref().unwrap_or("?"), self.origin())
    }

    /// `DATABASE_URL of service api`
    pub(crate) fn origin(&self) -> String {
        format!("{} of service {}", self.variable, self.service)
    }
}

/// The services that work on the application's data.
fn services(project: &Project) -> Vec<String> {
    let all = project.api.iter().chain(&project.worker).chain(std::iter::once(&project.migrate));
    all.filter(|service| project.service(service).is_some()).cloned().collect()
}

/// Whether a service only hands connections on to the database service: by its image, or since it connects there itself.
fn is_pooler(project: &Project, service: &str) -> bool {
    let image = project.service(service).and_then(|s| s["image"].as_str()).unwrap_or_default();
    if POOLERS.iter().any(|pooler| image.contains(pooler) || service.contains(pooler)) {
        return true;
    }
    let environment = application_url::environment(project, service);
    let command = application_url::command(project, service);
    application_url::connections(service, &environment, &command).iter().any(|connection| {
        let host = connection.host.as_deref().unwrap_or_default();
        matches!(database_service::place(project, service, host, connection.port), Place::Database(_))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[expect(clippy::needless_pass_by_value, reason = "literals of a test")]
    fn project(api: Value, others: Value) -> Project {
        let mut services = json!({
            "api": api,
            "db": {"image": "postgres:17", "environment": {"POSTGRES_USER": "postgres", "POSTGRES_PASSWORD": "pw"},
                "container_name": "the-database", "networks": {"default": {"aliases": ["pg"]}},
                "ports": [{"target": 5432, "published": "5433"}],
                "volumes": [{"type": "volume", "source": "run", "target": "/var/run/postgresql"}]},
        });
        if let (Some(services), Value::Object(others)) = (services.as_object_mut(), others) {
            services.extend(others);
        }
        Project::of_model(json!({"name": "x", "services": services}))
    }

    fn api(url: &str) -> Value {
        json!({"environment": {"PG_DATABASE_URL": url}})
    }

    fn name(project: &Project) -> Result<Option<String>, Error> {
        let found = Application::of(project, &|_| None);
        Ok(found.one(project)?.and_then(|to| to.connection.name.clone()))
    }

    #[test]
    fn the_database_service_is_known_by_each_of_its_names() {
        for host in ["db", "DB", "the-database", "pg", "x-db-1", "host.docker.internal:5433", "db."] {
            let project = project(api(&format!("postgres://postgres:pw@{host}/default")), json!({}));
            assert_eq!(name(&project).unwrap().as_deref(), Some("default"), "{host}");
        }
        let mut socket = api("postgresql:///default?host=/run/postgresql&user=postgres");
        socket["volumes"] = json!([{"type": "volume", "source": "run", "target": "/run/postgresql"}]);
        assert_eq!(name(&project(socket, json!({}))).unwrap().as_deref(), Some("default"));
        let mut beside = api("postgres://postgres:pw@localhost/default");
        assert_eq!(name(&project(beside.clone(), json!({}))).unwrap(), None);
        beside["network_mode"] = json!("service:db");
        assert_eq!(name(&project(beside.clone(), json!({}))).unwrap().as_deref(), Some("default"));
        let mut linked = api("postgres://postgres:pw@store/default");
        linked["links"] = json!(["db:store"]);
        assert_eq!(name(&project(linked, json!({}))).unwrap().as_deref(), Some("default"));
    }

    #[test]
    fn through_a_pooler_the_database_is_the_application_s_as_well() {
        for pooler in [
            json!({"image": "edoburu/pgbouncer", "environment": {}}),
            json!({"image": "pool:1", "environment": {"DB_HOST": "db", "DB_USER": "u", "DB_NAME": "default"}}),
        ] {
            let project = project(api("postgres://u:p@pool:6432/default"), json!({"pool": pooler}));
            assert_eq!(name(&project).unwrap().as_deref(), Some("default"));
        }
    }

    #[test]
    fn several_databases_are_named_and_none_is_chosen() {
        let urls = json!({"environment": {"A_URL": "postgres://u:p@db/a", "B_URL": "postgres://u:p@db/b"}});
        let error = name(&project(urls, json!({}))).unwrap_err();
        assert!(error.to_string().contains("a (A_URL of service api), b (B_URL of service api)"), "{error}");
        assert_eq!(crate::Fault::exit(&error), crate::Exit::Environment);
        let with_maintenance =
            json!({"environment": {"A": "postgres://u:p@db/a", "B": "postgres://u:p@db/postgres"}});
        assert_eq!(name(&project(with_maintenance, json!({}))).unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn a_database_elsewhere_is_not_that_of_the_database_service() {
        let error = name(&project(api("postgres://u:p@db.example.com/app"), json!({}))).unwrap_err();
        assert!(error.to_string().contains("at db.example.com, and not at service db"), "{error}");
        let error =
            name(&project(api("postgres://u:p@store/app"), json!({"store": {"image": "postgres:17"}})));
        let hint = crate::Fault::hint(&error.unwrap_err()).unwrap();
        assert!(hint.contains("database: store"), "{hint}");
        // Neither a default of the image nor another kind of database is.
        assert_eq!(name(&project(api("postgres://u:p@localhost/app"), json!({}))).unwrap(), None);
        let other = json!({"environment": {"DB_HOST": "mysql", "DB_NAME": "app", "DB_USER": "u"}});
        assert_eq!(name(&project(other, json!({"mysql": {"image": "mysql"}}))).unwrap(), None);
    }

    #[test]
    fn where_the_compose_file_does_not_say_it_the_running_container_does() {
        let project = project(json!({"environment": {"DB_HOST": "db"}}), json!({}));
        assert_eq!(name(&project).unwrap(), None);
        let running = |service: &str| {
            let pairs = [("DB_HOST", "db"), ("DB_NAME", "default"), ("DB_USER", "u")];
            (service == "api").then(|| pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
        };
        let found = Application::of(&project, &running);
        assert_eq!(found.one(&project).unwrap().unwrap().connection.name.as_deref(), Some("default"));
    }
}
