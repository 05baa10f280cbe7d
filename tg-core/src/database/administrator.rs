//! Who made the server of the database service.

use crate::project::Project;

/// The role that the database service's image made, and the database beside it.
pub(super) struct Administrator {
    pub user: String,
    pub password: Option<String>,
    pub name: String,
    /// Where the database's name is written.
    pub origin: String,
}

impl Administrator {
    /// Of the official image's variables and its likes, else of Bitnami's.
    pub(super) fn of(project: &Project) -> Option<Self> {
        let service = &project.database;
        let of = |name: &str| project.variable(service, name).filter(|value| !value.is_empty());
        let made = |user: String, password: Option<String>, variable: &str| {
            let (name, origin) = match of(variable) {
                Some(name) => (name, format!("{variable} of service {service}")),
                None => (user.clone(), format!("the default of service {service}")),
            };
            Administrator { user, password, name, origin }
        };
        let password = of("POSTGRES_PASSWORD");
        if password.is_some() || of("POSTGRES_USER").is_some() || of("POSTGRES_HOST_AUTH_METHOD").is_some() {
            let user = of("POSTGRES_USER").unwrap_or_else(|| "postgres".into());
            return Some(made(user, password, "POSTGRES_DB"));
        }
        let own =
            of("POSTGRESQL_USERNAME").or_else(|| of("POSTGRESQL_USER")).filter(|user| user != "postgres");
        let (first, second) = (of("POSTGRESQL_POSTGRES_PASSWORD"), of("POSTGRESQL_PASSWORD"));
        match (own, first, second) {
            (None, None, None) => None,
            (Some(user), None, password) => Some(made(user, password, "POSTGRESQL_DATABASE")),
            (_, first, second) => Some(made("postgres".into(), first.or(second), "POSTGRESQL_DATABASE")),
        }
    }
}
