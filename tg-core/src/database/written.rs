//! What the settings, the application and the database service say of the database: in that order.

use super::administrator::Administrator;
use crate::Error;
use crate::application_database::{Application, Running, ToService};
use crate::application_url::Connection;
use crate::connection_string::ConnectionString;
use crate::database::{DatabaseFlags, Manner, PORT, Target};
use crate::database_service;
use crate::project::Project;
use crate::settings::process_env;
use crate::tls::Tls;

/// Another database than ours, and who names it.
#[derive(Clone, Debug)]
pub struct Other {
    /// One name, or several.
    pub name: String,
    /// Such as `DATABASE_URL of service api`.
    pub origin: String,
    /// Whether it is the application that names another one than a setting does: what is kept of ours may not be its data.
    pub is_the_application_s: bool,
}

/// A URL file's content, where it was named, and whether for this very command.
struct UrlFile {
    text: String,
    origin: String,
    by_flag: bool,
}

impl Target {
    /// The setting, else the application's own connection, else the variables of the database service.
    pub(super) fn choose(project: &Project, flags: &DatabaseFlags, running: Running) -> Result<Self, Error> {
        let application = Application::of(project, running);
        match url_file(project, flags)? {
            Some(file) => Self::from_file(project, &application, &file),
            None => Self::from_project(project, &application),
        }
    }

    fn from_file(project: &Project, application: &Application, file: &UrlFile) -> Result<Self, Error> {
        let mut target = Self::from_url(&file.text, &file.origin)?;
        target.here = target.host == project.database
            || database_service::is_called(project, &project.database, &target.host);
        let elsewhere = application.elsewhere.iter().filter_map(|c| c.name.as_deref());
        let names: std::collections::BTreeSet<&str> =
            application.names().into_iter().chain(elsewhere).collect();
        target.application_role = application.to(&target.name).and_then(|to| to.connection.user.clone());
        if !names.is_empty() && !names.contains(target.name.as_str()) {
            let first = application.here.iter().map(|to| &to.connection).chain(&application.elsewhere).next();
            target.other = Some(Other {
                name: names.into_iter().collect::<Vec<_>>().join(", "),
                origin: first.map(Connection::origin).unwrap_or_default(),
                is_the_application_s: !file.by_flag,
            });
        }
        Ok(target)
    }

    fn from_project(project: &Project, application: &Application) -> Result<Self, Error> {
        if project.service(&project.database).is_none()
            && let Some(connection) = application.only_elsewhere()?
        {
            return Self::of_connection(&connection.text, &connection.origin(), connection);
        }
        project.require(&project.database, "database")?;
        let (told, administrator) = (application.one(project)?, Administrator::of(project));
        let role = application.here.first().and_then(|to| to.connection.user.clone());
        match (told, administrator) {
            (None, None) => Err(Error::WhichDatabase {
                problem: format!(
                    "neither the environment of the application nor POSTGRES_USER of service {} says it",
                    project.database
                ),
                hint: "name a file that holds the database's URL with --database-url-file".into(),
            }),
            (None, Some(administrator)) => {
                let origin = administrator.origin.clone();
                let name = administrator.name.clone();
                Ok(Target {
                    application_role: role,
                    ..Self::at_service(project, administrator, name, origin)
                })
            }
            (Some(told), administrator) => Self::of_application(project, told, administrator),
        }
    }

    /// The name is the application's. Who connects is the server's administrator, where one is known: points and restores
    /// need one.
    fn of_application(
        project: &Project,
        told: &ToService,
        administrator: Option<Administrator>,
    ) -> Result<Self, Error> {
        let connection = &told.connection;
        let name = connection.name.clone().unwrap_or_default();
        let other = administrator.as_ref().filter(|administrator| administrator.name != name);
        let other = other.map(|administrator| Other {
            name: administrator.name.clone(),
            origin: administrator.origin.clone(),
            is_the_application_s: false,
        });
        let mut login = match (administrator, &connection.user) {
            (Some(administrator), _) => administrator,
            (None, Some(user)) => Administrator {
                user: user.clone(),
                password: None,
                name: name.clone(),
                origin: String::new(),
            },
            (None, None) => {
                return Err(Error::WhichDatabase {
                    problem: format!("{} names no role", connection.describe()),
                    hint: "name a file that holds the database's URL with --database-url-file".into(),
                });
            }
        };
        // The variables of the service count when its data is made; the application's password is good today.
        if connection.user.as_ref() == Some(&login.user) && connection.password.is_some() {
            login.password.clone_from(&connection.password);
        }
        let mut target = Self::at_service(project, login, name, connection.origin());
        target.application_role.clone_from(&connection.user);
        target.tls = Tls::in_project(&connection.text);
        (target.port, target.other) = (told.port.unwrap_or(target.port), other);
        target.inside = target.port;
        Ok(target)
    }

    fn at_service(project: &Project, login: Administrator, name: String, origin: String) -> Self {
        let port =
            project.variable(&project.database, "PGPORT").and_then(|port| port.parse().ok()).unwrap_or(PORT);
        Target {
            host: String::new(),
            port,
            user: login.user,
            name,
            container: None,
            inside: port,
            password: login.password,
            tls: Tls::PREFER,
            here: true,
            server_name: None,
            origin,
            application_role: None,
            other: None,
            manner: Manner::default(),
        }
    }

    /// A connection as it is written.
    pub(super) fn of_string(written: &ConnectionString, origin: &str) -> Result<Self, String> {
        let tls = Tls::of(written)?;
        let named = written.host().ok_or("no host")?.to_owned();
        let user = written.get("user").ok_or("no user")?.to_owned();
        let port = written.port().unwrap_or(PORT);
        let address = written.get("hostaddr").and_then(|all| all.split(',').next()).map(str::to_owned);
        Ok(Target {
            server_name: tls.verifies_name().then(|| named.clone()),
            host: address.unwrap_or(named),
            port,
            name: written.get("dbname").unwrap_or(&user).to_owned(),
            container: None,
            inside: port,
            password: written.get("password").map(str::to_owned),
            user,
            tls,
            here: false,
            origin: origin.to_owned(),
            application_role: None,
            other: None,
            manner: Manner::default(),
        })
    }

    fn of_connection(
        written: &ConnectionString,
        origin: &str,
        connection: &Connection,
    ) -> Result<Self, Error> {
        let mut whole = written.clone();
        let port = connection.port.map(|port| port.to_string());
        let parts = [
            ("host", &connection.host),
            ("port", &port),
            ("user", &connection.user),
            ("password", &connection.password),
            ("dbname", &connection.name),
        ];
        for (keyword, value) in parts {
            whole.set_default(keyword, value.as_deref());
        }
        let wrong = |problem| Error::Setting { key: "database URL".into(), origin: origin.into(), problem };
        let target = Self::of_string(&whole, origin).map_err(wrong)?;
        Ok(Target { application_role: Some(target.user.clone()), ..target })
    }
}

fn url_file(project: &Project, flags: &DatabaseFlags) -> Result<Option<UrlFile>, Error> {
    let here = std::env::current_dir().unwrap_or_default();
    let flag = flags.database_url_file.as_ref().map(|f| here.join(f));
    let by_flag = flag.is_some();
    let file = project.settings().get(flag, "database_url_file", |text| Ok(project.path(text)))?;
    if let Some(path) = file {
        let text = std::fs::read_to_string(&path).map_err(|e| Error::Setting {
            key: "database_url_file".into(),
            origin: path.display().to_string(),
            problem: e.to_string(),
        })?;
        return Ok(Some(UrlFile { text, origin: path.display().to_string(), by_flag }));
    }
    let origin = || "environment variable TG_DATABASE_URL".to_owned();
    Ok(process_env("TG_DATABASE_URL").map(|text| UrlFile { text, origin: origin(), by_flag: false }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[expect(clippy::needless_pass_by_value, reason = "literals of a test")]
    fn project(api: Value, db: Value) -> Project {
        let services =
            json!({"api": {"environment": api}, "db": {"image": "postgres:17", "environment": db}});
        Project::of_model(json!({"name": "x", "services": services}))
    }

    fn chosen(api: Value, db: Value) -> Target {
        Target::choose(&project(api, db), &DatabaseFlags::default(), &|_| None).unwrap()
    }

    #[test]
    fn the_application_s_own_connection_decides_and_the_administrator_connects() {
        let api = json!({"PG_DATABASE_URL": "postgres://app:own@db/default"});
        let target = chosen(api, json!({"POSTGRES_USER": "postgres", "POSTGRES_PASSWORD": "pw"}));
        assert_eq!((target.name.as_str(), target.user.as_str()), ("default", "postgres"));
        assert_eq!((target.password.as_deref(), target.application_role()), (Some("pw"), "app"));
        assert_eq!(target.origin(), "PG_DATABASE_URL of service api");
        let other = target.other().unwrap();
        assert_eq!((other.name.as_str(), other.is_the_application_s), ("postgres", false));
    }

    #[test]
    fn the_variables_of_the_service_count_where_the_application_says_nothing() {
        let target =
            chosen(json!({}), json!({"POSTGRES_USER": "u", "POSTGRES_DB": "app", "POSTGRES_PASSWORD": "pw"}));
        assert_eq!((target.name.as_str(), target.origin()), ("app", "POSTGRES_DB of service db"));
        assert!(target.other().is_none() && target.here);
        assert_eq!(target.application_role(), "u");
        let bitnami =
            json!({"POSTGRESQL_USERNAME": "u", "POSTGRESQL_PASSWORD": "p", "POSTGRESQL_DATABASE": "app"});
        assert_eq!(chosen(json!({}), bitnami).user, "u");
        let error = Target::choose(&project(json!({}), json!({})), &DatabaseFlags::default(), &|_| None);
        assert_eq!(crate::Fault::code(&error.unwrap_err()), "which-database");
    }

    #[test]
    fn a_password_that_the_application_uses_today_is_better_than_the_one_that_made_the_server() {
        let db = json!({"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "of old"});
        let target = chosen(json!({"DATABASE_URL": "postgres://u:new@db/u"}), db);
        assert_eq!(target.password.as_deref(), Some("new"));
        assert!(target.other().is_none());
    }

    #[test]
    fn a_setting_wins_and_is_told_when_the_application_names_another() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        std::fs::write(&file, "postgres://u:p@db/other").unwrap();
        let flags = DatabaseFlags { database_url_file: Some(file) };
        let project = project(json!({"DATABASE_URL": "postgres://u:p@db/default"}), json!({}));
        let target = Target::choose(&project, &flags, &|_| None).unwrap();
        assert_eq!((target.name.as_str(), target.here), ("other", true));
        let other = target.other().unwrap();
        assert_eq!((other.name.as_str(), other.origin.as_str()), ("default", "DATABASE_URL of service api"));
        assert!(!other.is_the_application_s, "a flag is of this very command");
    }

    #[test]
    fn a_server_in_the_project_is_asked_for_tls_as_the_application_asks_and_prefers_it_else() {
        let of = |url: &str| chosen(json!({"DATABASE_URL": url}), json!({"POSTGRES_PASSWORD": "pw"})).tls;
        assert_eq!(of("postgres://u:p@db/d"), Tls::PREFER);
        assert_eq!(of("postgres://u:p@db/d?sslmode=disable"), Tls::PREFER);
        assert_ne!(of("postgres://u:p@db/d?sslmode=require"), Tls::PREFER);
    }

    #[test]
    fn without_a_database_service_the_application_s_only_connection_is_the_target() {
        let services = json!({"api": {"environment": {"DATABASE_URL": "postgres://u:p@db.example.com:6543/d?schema=x"}}});
        let project = Project::of_model(json!({"name": "x", "services": services}));
        let target = Target::choose(&project, &DatabaseFlags::default(), &|_| None).unwrap();
        assert_eq!(target.place(), "db.example.com:6543/d");
        assert!(!target.here);
    }
}
