//! The application's own connections to PostgreSQL, as its services' environment describes them: in one variable of
//! whatever name, or in a set of them.

use std::collections::BTreeMap;

use crate::connection_string::{ConnectionString, host_and_port};
use crate::project::Project;

/// A service's environment, by name.
pub(crate) type Environment = BTreeMap<String, String>;

/// A connection, and where it is written.
#[derive(Clone)]
pub(crate) struct Connection {
    pub service: String,
    /// The variable with the whole of it, else the one with the database's name, else the one with the host.
    pub variable: String,
    /// The first host, the directory of a socket, or nothing where the application takes its default.
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<String>,
    /// Nothing where the application takes its default.
    pub name: Option<String>,
    /// As it is written, where it is in one variable.
    pub text: ConnectionString,
    /// Whether its own words say that it is to PostgreSQL.
    pub certain: bool,
}

/// How a variable with a host ends, and what ends the others of its set.
const HOSTS: [&str; 7] = ["HOST", "HOSTNAME", "HOST_NAME", "SERVER", "SERVERNAME", "ADDR", "ADDRESS"];
const PORTS: [&str; 1] = ["PORT"];
const USERS: [&str; 4] = ["USER", "USERNAME", "USER_NAME", "LOGIN"];
const PASSWORDS: [&str; 4] = ["PASSWORD", "PASS", "PASSWD", "PWD"];
const NAMES: [&str; 6] = ["DATABASE", "DB", "NAME", "DBNAME", "DATABASE_NAME", "DB_NAME"];
/// What ends a variable with the kind of the database, and what it says of another than PostgreSQL.
const ENGINES: [&str; 7] = ["TYPE", "CONNECTION", "DRIVER", "ENGINE", "CLIENT", "DIALECT", "ADAPTER"];
const OTHERS: [&str; 6] = ["mysql", "maria", "sqlite", "mongo", "mssql", "sqlserver"];
/// What a variable with a database's name begins with where no host is among its set.
const FAMILIES: [&str; 8] = ["PG", "POSTGRES", "POSTGRESQL", "POSTGRESDB", "DB", "DATABASE", "PGSQL", "PSQL"];

/// A service's environment as the Compose file has it, with the content of the secrets that `…_FILE` names.
pub(crate) fn environment(project: &Project, service: &str) -> Environment {
    let model = project.service(service).and_then(|s| s["environment"].as_object());
    let bare = |name: &String| name.strip_suffix("_FILE").unwrap_or(name).to_owned();
    let names = model.into_iter().flat_map(|map| map.keys()).flat_map(|name| [name.clone(), bare(name)]);
    names
        .filter_map(|name| Some((project.variable(service, &name)?, name)))
        .map(|(value, name)| (name, value))
        .collect()
}

/// The words of a service's command, where a connection may stand as well.
pub(crate) fn command(project: &Project, service: &str) -> Vec<String> {
    let Some(model) = project.service(service) else { return Vec::new() };
    let words = ["entrypoint", "command"].into_iter().filter_map(|key| model[key].as_array()).flatten();
    words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

/// The connections that an environment and a command describe.
pub(crate) fn connections(service: &str, environment: &Environment, command: &[String]) -> Vec<Connection> {
    let mut all: Vec<Connection> = environment
        .iter()
        .filter_map(|(variable, value)| {
            Some(whole(service, variable, ConnectionString::recognize(value)?, environment))
        })
        .collect();
    let in_command = command.iter().flat_map(|word| word.split_whitespace()).filter_map(|word| {
        let word = word.trim_matches(['"', '\'']);
        let begin = word.find("://").map(|at| word[..at].rfind(['=', '"', '\'']).map_or(0, |at| at + 1))?;
        Some(whole(service, "command", ConnectionString::recognize(&word[begin..])?, environment))
    });
    all.extend(in_command);
    all.extend(sets(service, environment));
    if all.is_empty() {
        all.extend(hostless(service, environment));
    }
    all
}

/// A connection in one variable. Who connects may stand beside it, as for JDBC.
fn whole(service: &str, variable: &str, text: ConnectionString, environment: &Environment) -> Connection {
    let stem = variable.rsplit_once('_').map_or("", |(stem, _)| stem);
    let beside = |words: &[&str]| sibling(environment, &format!("{stem}_"), words).map(|(_, value)| value);
    let of = |keyword: &str| text.get(keyword).map(str::to_owned);
    let user = of("user").or_else(|| beside(&USERS));
    Connection {
        service: service.to_owned(),
        variable: variable.to_owned(),
        host: text.host().map(str::to_owned),
        port: text.port(),
        password: of("password").or_else(|| beside(&PASSWORDS)),
        // As libpq: a database of the role's name.
        name: of("dbname").or_else(|| user.clone()),
        user,
        text,
        certain: true,
    }
}

/// The connections in sets of variables: those that have a host.
fn sets(service: &str, environment: &Environment) -> Vec<Connection> {
    let set = |(variable, value): (&String, &String)| {
        let prefix = HOSTS.iter().find_map(|word| prefix(variable, word))?;
        let known = family(prefix) || sibling(environment, prefix, names(prefix)).is_some();
        if !known
            || is_of_another(environment, prefix)
            || value.contains("://")
            || value.contains(char::is_whitespace)
        {
            return None;
        }
        let (host, port) =
            if value.starts_with('/') { (value.as_str(), None) } else { host_and_port(value)? };
        let host = host.split(',').next().filter(|host| !host.is_empty())?;
        let mut set = of_prefix(service, environment, prefix);
        set.host = Some(host.to_owned());
        set.port = port.and_then(|port| port.parse().ok()).or(set.port);
        if set.name.is_none() {
            // The set of one prefix may be all but the name, which another has.
            let others = environment.iter().filter(|(name, _)| is_name(name));
            let names: BTreeMap<&String, &String> = others.map(|(name, value)| (value, name)).collect();
            if let (1, Some((name, other))) = (names.len(), names.first_key_value()) {
                (set.name, set.variable) = (Some((*name).clone()), (*other).clone());
            }
        }
        if set.variable.is_empty() {
            set.variable.clone_from(variable);
        }
        Some(set)
    };
    environment.iter().filter_map(set).collect()
}

/// Sets with a name and somebody who connects, to where the application looks by default.
fn hostless(service: &str, environment: &Environment) -> Vec<Connection> {
    let mut prefixes: Vec<&str> = Vec::new();
    for name in environment.keys() {
        prefixes.extend(NAMES.iter().filter_map(|word| prefix(name, word)).filter(|prefix| family(prefix)));
    }
    prefixes.retain(|prefix| !is_of_another(environment, prefix));
    prefixes.dedup();
    let all = prefixes.into_iter().map(|prefix| of_prefix(service, environment, prefix));
    all.filter(|set| set.name.is_some() && set.user.is_some()).collect()
}

fn of_prefix(service: &str, environment: &Environment, prefix: &str) -> Connection {
    let of = |words: &[&str]| sibling(environment, prefix, words);
    let name = of(names(prefix));
    Connection {
        service: service.to_owned(),
        variable: name.as_ref().map(|(variable, _)| variable.clone()).unwrap_or_default(),
        host: None,
        port: of(&PORTS).and_then(|(_, port)| port.parse().ok()),
        user: of(&USERS).map(|(_, value)| value),
        password: of(&PASSWORDS).map(|(_, value)| value),
        name: name.map(|(_, value)| value),
        text: ConnectionString::default(),
        certain: ["PG", "POSTG"].iter().any(|word| prefix.to_ascii_uppercase().contains(word)),
    }
}

/// The words for a database's name behind a prefix; without one the short words may mean anything.
fn names(prefix: &str) -> &'static [&'static str] {
    if prefix.is_empty() { &NAMES[3..] } else { &NAMES }
}

/// Whether a set says that it is of another database than PostgreSQL.
fn is_of_another(environment: &Environment, prefix: &str) -> bool {
    let engine = sibling(environment, prefix, &ENGINES).map(|(_, value)| value.to_ascii_lowercase());
    engine.is_some_and(|engine| OTHERS.iter().any(|other| engine.contains(other)))
}

/// What stands before a word at a variable's end.
fn prefix<'a>(variable: &'a str, word: &str) -> Option<&'a str> {
    let at = variable.len().checked_sub(word.len())?;
    variable.get(at..)?.eq_ignore_ascii_case(word).then(|| &variable[..at])
}

/// Whether a prefix is one of a database: `PG`, `DB_`, `KC_DB_URL_`, `AUTHENTIK_POSTGRESQL__`, `PAPERLESS_DB`.
fn family(prefix: &str) -> bool {
    let upper = prefix.to_ascii_uppercase();
    let bare = upper.trim_end_matches('_').trim_end_matches("URL").trim_end_matches('_');
    FAMILIES
        .iter()
        .any(|family| bare.strip_suffix(family).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}

/// Whether a variable holds the name of a database by its own name.
fn is_name(variable: &str) -> bool {
    NAMES.iter().any(|word| prefix(variable, word).is_some_and(family))
}

/// The variable of a set that ends in one of these words.
fn sibling(environment: &Environment, prefix: &str, words: &[&str]) -> Option<(String, String)> {
    words.iter().find_map(|word| {
        let wanted = format!("{prefix}{word}");
        let (name, value) = environment.iter().find(|(name, _)| name.eq_ignore_ascii_case(&wanted))?;
        (!value.is_empty()).then(|| (name.clone(), value.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// variable, host, user, name of each
    fn told(pairs: &[(&str, &str)]) -> Vec<[String; 4]> {
        let environment =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = |value: Option<String>| value.unwrap_or_default();
        connections("api", &environment, &[])
            .into_iter()
            .map(|c| [c.variable, text(c.host), text(c.user), text(c.name)])
            .collect()
    }

    #[test]
    fn a_url_counts_under_whatever_name() {
        for name in ["DATABASE_URL", "PG_DATABASE_URL", "GF_DATABASE_URL", "DSN", "MM_SQLSETTINGS_DATASOURCE"]
        {
            let found = told(&[(name, "postgresql+asyncpg://u:p@db/default?ssl=false"), ("PORT", "3000")]);
            assert_eq!(found, [[name, "db", "u", "default"]]);
        }
        let jdbc = [
            ("SPRING_DATASOURCE_URL", "jdbc:postgresql://db:5432/default"),
            ("SPRING_DATASOURCE_USERNAME", "u"),
            ("SPRING_DATASOURCE_PASSWORD", "p"),
        ];
        assert_eq!(told(&jdbc), [["SPRING_DATASOURCE_URL", "db", "u", "default"]]);
        let net = [("ConnectionStrings__Default", "Host=db;Database=default;Username=u;Password=p")];
        assert_eq!(told(&net), [["ConnectionStrings__Default", "db", "u", "default"]]);
    }

    #[test]
    fn a_set_of_variables_counts_by_what_ends_their_names() {
        for [host, user, name] in [
            ["PGHOST", "PGUSER", "PGDATABASE"],
            ["DB_HOST", "DB_USERNAME", "DB_DATABASE"],
            ["DB_HOSTNAME", "DB_USERNAME", "DB_DATABASE_NAME"],
            ["DB_POSTGRESDB_HOST", "DB_POSTGRESDB_USER", "DB_POSTGRESDB_DATABASE"],
            ["POSTGRES_HOST", "POSTGRES_USER", "POSTGRES_DB"],
            ["POSTGRES_SERVER", "POSTGRES_USER", "POSTGRES_NAME"],
            ["DATABASE_HOST", "DATABASE_USER", "DATABASE_NAME"],
            ["PAPERLESS_DBHOST", "PAPERLESS_DBUSER", "PAPERLESS_DBNAME"],
            ["AUTHENTIK_POSTGRESQL__HOST", "AUTHENTIK_POSTGRESQL__USER", "AUTHENTIK_POSTGRESQL__NAME"],
            ["GITEA__database__HOST", "GITEA__database__USER", "GITEA__database__NAME"],
            ["MB_DB_HOST", "MB_DB_USER", "MB_DB_DBNAME"],
        ] {
            let found = told(&[(host, "db:5432"), (user, "u"), (name, "default"), ("REDIS_HOST", "redis")]);
            assert_eq!(found, [[name, "db", "u", "default"]], "{host}");
        }
        assert_eq!(told(&[("DB_HOST", "db"), ("POSTGRES_DB", "default")])[0][3], "default");
        assert_eq!(told(&[("DB_HOST", "db")]), [["DB_HOST", "db", "", ""]]);
        let default_host = [("DB_DATABASE_NAME", "default"), ("DB_USERNAME", "u")];
        assert_eq!(told(&default_host), [["DB_DATABASE_NAME", "", "u", "default"]]);
    }

    #[test]
    fn what_names_no_database_is_none() {
        for pairs in [
            &[("REDIS_HOST", "redis"), ("SMTP_HOST", "mail"), ("HOSTNAME", "x"), ("NAME", "y")][..],
            &[("DATABASE_URL", "mysql://u:p@mysql/x"), ("DB_NAME", "x")],
            &[("API_URL", "https://db/x"), ("USER", "u")],
        ] {
            assert!(told(pairs).is_empty(), "{pairs:?}");
        }
    }

    #[test]
    fn a_command_may_hold_a_url() {
        let command = ["serve".to_owned(), "--db=postgres://u@db/default".to_owned()];
        let found = connections("api", &Environment::new(), &command);
        assert_eq!((found[0].variable.as_str(), found[0].name.as_deref()), ("command", Some("default")));
    }
}
