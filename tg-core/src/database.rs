//! The project's database: where it is, and a connection to it.

mod administrator;
mod written;

use std::cell::OnceCell;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use postgres::error::SqlState;
use tokio_postgres::Config;

use crate::bounds::Bounds;
pub use crate::client::{Client, Notices, QueryError, Transaction, Values};
use crate::connection_string::ConnectionString;
use crate::container::Container;
use crate::engine::Engine;
use crate::project::Project;
use crate::session::Session;
pub use crate::sql::{describe, ident, literal};
use crate::tls::Tls;
use crate::unhurried;
use crate::{Error, passfile};
pub use written::Other;

/// PostgreSQL's port.
pub const PORT: u16 = 5432;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// What every server that we support knows.
const OLDEST: i32 = 130_000;
/// Nothing of the application's fires because we connect or define something.
const SILENCED_SINCE: i32 = 170_000;
const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::int";
const MAY_SILENCE: &str = "SELECT pg_catalog.has_parameter_privilege('event_triggers', 'SET')";
/// Databases that nearly every server has.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];
/// Limits that an administrator sets for the application's sessions must not end ours, as far as the server knows them.
const UNHURRIED: &str = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.unnest(ARRAY['statement_timeout', \
    'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout']) AS known(name) \
    WHERE pg_catalog.current_setting(name, true) IS NOT NULL";

/// Flags of every tool that speaks with the database.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Database options")]
pub struct DatabaseFlags {
    /// File with the database's URL, postgres://user:password@host:port/name?sslmode=…
    /// [env: TG_DATABASE_URL_FILE] [x-tg: database_url_file] [default: the application's own connection]
    #[arg(long, value_name = "FILE", global = true)]
    pub database_url_file: Option<std::path::PathBuf>,
}

/// Where a database is and who connects.
#[derive(Clone)]
pub struct Target {
    /// As this host reaches it.
    pub host: String,
    /// As this host reaches it.
    pub port: u16,
    /// Role.
    pub user: String,
    /// Database.
    pub name: String,
    /// The container that serves it, when it is a service of the project.
    pub container: Option<Container>,
    /// As a client beside the server reaches it, in the network namespace of its container.
    inside: u16,
    password: Option<String>,
    tls: Tls,
    /// Whether it is at the project's database service.
    here: bool,
    /// What the server's certificate must be of, where that is not how we reach it.
    server_name: Option<String>,
    /// Where its name is written.
    origin: String,
    application_role: Option<String>,
    other: Option<Other>,
    manner: Manner,
}

/// How it is asked.
#[derive(Clone, Debug)]
struct Manner {
    bounds: Bounds,
    /// What a connection begins with, by the server's version and our rights; known once it was asked.
    options: Arc<OnceLock<String>>,
}

impl Default for Manner {
    fn default() -> Self {
        Manner { bounds: Bounds::none(), options: Arc::default() }
    }
}

impl Target {
    /// What is written: in the URL file, else in the application's own environment, else in that of the database
    /// service (`POSTGRES_*`). The engine is asked only where the Compose file does not say which database is the
    /// application's; the database is not asked whether it is there.
    pub fn written(session: &Session, project: &Project, flags: &DatabaseFlags) -> Result<Self, Error> {
        let engine = OnceCell::new();
        let running = |service: &str| {
            let engine: &Option<Engine> = engine.get_or_init(|| Engine::connect(&session.bounds()).ok());
            engine.as_ref()?.environment_of(&project.name, service).ok()?
        };
        Ok(Self::choose(project, flags, &running)?.learnt(session))
    }

    fn learnt(mut self, session: &Session) -> Self {
        self.manner.bounds = session.bounds();
        if let Some(password) = &self.password {
            session.emit.redactor().learn(password);
        }
        self
    }

    /// What is written, found: the service is reached through its published port, else at its
    /// container's address.
    pub fn find(
        session: &Session,
        project: &Project,
        engine: &Engine,
        flags: &DatabaseFlags,
    ) -> Result<Self, Error> {
        let running = |service: &str| engine.environment_of(&project.name, service).ok()?;
        let mut target = Self::choose(project, flags, &running)?.learnt(session);
        if target.here {
            let container = serving(engine, project)?;
            let reached =
                container.reach(target.port).ok_or_else(|| Error::NotRunning(project.database.clone()))?;
            (target.host, target.port) = reached;
            target.container = Some(container);
        }
        if target.password.is_none() {
            target.password = passfile::lookup(&target.host, target.port, &target.name, &target.user);
        }
        Ok(target)
    }

    /// Parses a URL; `origin` says where it was written and nothing of its content is repeated.
    pub fn from_url(text: &str, origin: &str) -> Result<Self, Error> {
        let wrong = |problem| Error::Setting { key: "database URL".into(), origin: origin.into(), problem };
        ConnectionString::parse(text).and_then(|written| Self::of_string(&written, origin)).map_err(wrong)
    }

    /// Parses a URL of the command line, where a password would stand in the process list: it comes from the
    /// password file (`PGPASSFILE`, else `~/.pgpass`).
    pub fn from_argument(text: &str) -> Result<Self, Error> {
        let mut target = Self::from_url(text, "the command line")?;
        if target.password.is_some() {
            return Err(Error::Usage {
                problem: "no password may stand in a URL on the command line".into(),
                hint: "write it into ~/.pgpass, or into the file that PGPASSFILE names".into(),
            });
        }
        target.password = passfile::lookup(&target.host, target.port, &target.name, &target.user);
        Ok(target)
    }

    /// `host:port/name`, for messages; the name alone where the service has not been looked for.
    #[must_use]
    pub fn place(&self) -> String {
        if self.host.is_empty() {
            return self.name.clone();
        }
        format!("{}:{}/{}", self.host, self.port, self.name)
    }

    /// A server's socket in a directory of this host.
    #[must_use]
    pub fn socket(directory: &Path, user: &str, name: &str, bounds: Bounds) -> Self {
        Target {
            host: directory.display().to_string(),
            port: PORT,
            user: user.into(),
            name: name.into(),
            container: None,
            inside: PORT,
            password: None,
            tls: Tls::OFF,
            here: false,
            server_name: None,
            origin: String::new(),
            application_role: None,
            other: None,
            manner: Manner { bounds, ..Manner::default() },
        }
    }

    /// The same, asked no longer than these allow.
    #[must_use]
    pub fn bounded(mut self, bounds: Bounds) -> Self {
        self.manner.bounds = bounds;
        self
    }

    /// Where the database's name is written, such as `DATABASE_URL of service api`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The role that the application connects as: ours where its own is not known.
    #[must_use]
    pub fn application_role(&self) -> &str {
        self.application_role.as_deref().unwrap_or(&self.user)
    }

    /// Another database that is named as well, where there is one.
    #[must_use]
    pub fn other(&self) -> Option<&Other> {
        self.other.as_ref()
    }

    /// Warns of it.
    pub fn tell_other(&self, session: &Session) -> Result<(), Error> {
        let Some(other) = &self.other else { return Ok(()) };
        let (name, origin) = (&self.name, &self.origin);
        let msg =
            format!("the database is {name} ({origin}); {} is named as well ({})", other.name, other.origin);
        let data = serde_json::json!({
            "database": name, "database_from": origin, "other": other.name, "other_from": other.origin,
        });
        session.emit.warning("database-differs", &msg, data)
    }

    /// What PostgreSQL's own clients take from the environment: in the network namespace of the
    /// server's container where it has one, else on this host. The password is not among it.
    #[must_use]
    pub fn client_environment(&self) -> Vec<(&'static str, String)> {
        let (host, port) = match (&self.container, &self.server_name) {
            (Some(_), _) => ("127.0.0.1", self.inside),
            (None, Some(name)) => (name.as_str(), self.port),
            (None, None) => (self.host.as_str(), self.port),
        };
        let mut all =
            vec![("PGHOST", host.to_owned()), ("PGPORT", port.to_string()), ("PGUSER", self.user.clone())];
        if self.container.is_none() && host != self.host {
            all.push(("PGHOSTADDR", self.host.clone()));
        }
        all.extend(self.tls.environment(self.container.is_some()));
        all
    }

    /// One line of a password file for these clients; empty when no password is known.
    #[must_use]
    pub fn passfile_line(&self) -> String {
        self.password.as_deref().map(|p| passfile::line("*", &self.user, p)).unwrap_or_default()
    }

    /// Connects to the database, or to another one of the same server.
    pub fn connect(&self, tool: &str, other: Option<&str>) -> Result<Client, Error> {
        self.connect_heard(tool, other, || Box::new(drop))
    }

    /// The same, with somebody who hears the server's notices.
    pub fn connect_heard(
        &self,
        tool: &str,
        other: Option<&str>,
        notices: impl Fn() -> Notices,
    ) -> Result<Client, Error> {
        let config = self.config(tool, other.unwrap_or(&self.name));
        let connect = |config: &Config, options: &str, notices: &dyn Fn() -> Notices| {
            let go = |mut config: Config| {
                self.tls.connect(&mut config, |config, tls| {
                    Client::connect(config, tls, &self.manner.bounds, notices())
                })
            };
            let mut with = config.clone();
            with.options(options);
            match go(with)? {
                // A pooler in between may take none.
                Err(e) if e.code() == Some(&SqlState::PROTOCOL_VIOLATION) => go(config.clone()),
                answered => Ok(answered),
            }
        };
        let common = unhurried::options(OLDEST, false);
        if self.manner.options.get().is_none() {
            // Asked beside the application's database, where nothing of its own fires.
            let beside = MAINTENANCE.into_iter().find(|name| *name != self.name).unwrap_or_default();
            let mut asked = connect(config.clone().dbname(beside), &common, &|| Box::new(drop))?.ok();
            let options = asked.as_mut().map(known).transpose()?;
            let _ = self.manner.options.set(options.unwrap_or_else(|| common.clone()));
        }
        let options = self.manner.options.get().unwrap_or(&common);
        let mut client = connect(&config, options, &notices)?.map_err(|e| self.refused(&e))?;
        client.query(UNHURRIED, &[])?;
        Ok(client)
    }

    fn config(&self, tool: &str, database: &str) -> Config {
        let mut config = Config::new();
        match (&self.server_name, self.host.parse::<IpAddr>()) {
            (Some(name), Ok(address)) => config.host(name).hostaddr(address),
            _ => config.host(&self.host),
        };
        config
            .port(self.port)
            .user(&self.user)
            .dbname(database)
            .application_name(tool)
            .connect_timeout(CONNECT_TIMEOUT);
        if let Some(password) = &self.password {
            config.password(password);
        }
        config
    }

    fn refused(&self, error: &postgres::Error) -> Error {
        let place = self.place();
        let problem = describe(error);
        let denied = [
            SqlState::INVALID_PASSWORD,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            SqlState::INVALID_CATALOG_NAME,
            SqlState::INSUFFICIENT_PRIVILEGE,
        ];
        match error.code() {
            Some(code) if denied.contains(code) => Error::DatabaseRefused { place, problem },
            _ if problem.contains("password") => Error::DatabaseRefused { place, problem },
            _ => Error::DatabaseUnreachable { place, problem },
        }
    }
}

/// The database service's container.
fn serving(engine: &Engine, project: &Project) -> Result<Container, Error> {
    let service = &project.database;
    if let Some(container) = engine.running(&project.name, service)?.into_iter().next() {
        return Ok(container);
    }
    let paused =
        engine.containers(&project.name, service)?.into_iter().find(|c| c.state == "paused" && !c.one_off);
    Err(paused.map_or_else(
        || Error::NotRunning(service.clone()),
        |container| Error::Paused { service: service.clone(), container: container.name },
    ))
}

/// What this server knows and our role may set.
fn known(client: &mut Client) -> Result<String, QueryError> {
    let version = client.query_one(VERSION, &[])?.get(0);
    let may_silence = version >= SILENCED_SINCE && client.query_one(MAY_SILENCE, &[])?.get(0);
    Ok(unhurried::options(version, may_silence))
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_about_a_url_does_not_repeat_it() {
        let error = Target::from_url("postgres://u:topsecret@h:port/d", "the file").unwrap_err();
        assert!(!error.to_string().contains("topsecret"), "{error}");
    }
}
