//! The ways in which programs write a connection to PostgreSQL: libpq's URI and its keywords, JDBC, SQLAlchemy, PDO, Npgsql.
//! Parameters of other clients are kept and mean nothing here, as they mean nothing to the server.

use crate::url::decode;

/// What a connection string says, in libpq's keywords; of two values for one keyword the later counts, as for libpq.
#[derive(Clone, Default)]
pub(crate) struct ConnectionString(Vec<(String, String)>);

impl ConnectionString {
    /// Reads any of the forms. An error says what is wrong and repeats nothing of the text, which has a password in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let parsed = match text.split_once("://") {
            Some((scheme, rest)) if is_postgres(scheme) => url(rest)?,
            Some((scheme, _))
                if scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.:".contains(&b)) =>
            {
                return Err("its scheme is not that of PostgreSQL (postgres:// or postgresql://)".into());
            }
            _ => keywords(text)?,
        };
        let ports = parsed.get("port").into_iter().flat_map(|ports| ports.split(','));
        if ports.filter(|port| !port.is_empty()).any(|port| !port.parse().is_ok_and(|port: u16| port > 0)) {
            return Err("invalid port".into());
        }
        Ok(parsed)
    }

    /// The same of a value that may be anything: only what names a server in one of these forms.
    pub(crate) fn recognize(text: &str) -> Option<Self> {
        let written = Self::parse(text).ok()?;
        let whole = text.contains("://") || written.get("dbname").is_some() || written.get("user").is_some();
        (whole && written.host().is_some()).then_some(written)
    }

    /// The value of a keyword, where it is not empty.
    pub(crate) fn get(&self, keyword: &str) -> Option<&str> {
        let value = self.0.iter().rfind(|(name, _)| name == keyword).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// The first host, or the directory of a socket.
    pub(crate) fn host(&self) -> Option<&str> {
        self.hosts().next()
    }

    /// Every host that is named.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.get("host").into_iter().flat_map(|hosts| hosts.split(',')).filter(|host| !host.is_empty())
    }

    /// The port of the first host.
    pub(crate) fn port(&self) -> Option<u16> {
        self.get("port")?.split(',').next()?.parse().ok()
    }

    /// A value for a keyword that has none.
    pub(crate) fn set_default(&mut self, keyword: &str, value: Option<&str>) {
        if let (None, Some(value)) = (self.get(keyword), value) {
            self.set(keyword, value.to_owned());
        }
    }

    fn set(&mut self, keyword: &str, value: String) {
        self.0.push((keyword.to_owned(), value));
    }
}

/// The hosts, or directories of a socket, that a text names if it is a connection string, each with its port where one is said.
#[must_use]
pub fn places(text: &str) -> Vec<(String, Option<u16>)> {
    let Ok(written) = ConnectionString::parse(text) else { return Vec::new() };
    // Options of other programs have a host, too.
    if !text.contains("://") && written.get("dbname").or(written.get("user")).is_none() {
        return Vec::new();
    }
    // One port is for all hosts, as for libpq.
    let ports: Vec<Option<u16>> = written
        .get("port")
        .into_iter()
        .flat_map(|ports| ports.split(','))
        .map(|port| port.parse().ok())
        .collect();
    let port = |at: usize| ports.get(if ports.len() == 1 { 0 } else { at }).copied().flatten();
    let mut all: Vec<_> = written.hosts().enumerate().map(|(at, host)| (host.to_owned(), port(at))).collect();
    // Where both are said, this is where libpq connects to.
    let addresses = written.get("hostaddr").into_iter().flat_map(|addresses| addresses.split(','));
    all.extend(addresses.enumerate().map(|(at, address)| (address.to_owned(), port(at))));
    all
}

/// Whether a scheme is one of PostgreSQL's, behind whatever names a driver: `jdbc:postgresql`, `postgresql+psycopg`, `postgis`.
fn is_postgres(scheme: &str) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    let last = scheme.rsplit(':').next().unwrap_or_default();
    let base = last.split('+').next().unwrap_or_default();
    base.contains("postg")
        || base.contains("pg")
        || ["psql", "ecto", "timescale", "timescalegis"].contains(&base)
}

/// `user:password@host:port,host:port/name?keyword=value&…`
fn url(rest: &str) -> Result<ConnectionString, String> {
    let mut written = ConnectionString::default();
    let (credentials, rest) = split_credentials(rest);
    if let Some(credentials) = credentials {
        let (user, password) = credentials.split_once(':').map_or((credentials, None), |(u, p)| (u, Some(p)));
        written.set("user", decode(user));
        if let Some(password) = password {
            written.set("password", decode(password));
        }
    }
    let (path, query) = rest.split_once('?').map_or((rest, ""), |(path, query)| (path, query));
    let (authority, name) = path.split_once('/').map_or((path, ""), |(authority, name)| (authority, name));
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for place in authority.split(',').filter(|place| !place.is_empty()) {
        let (host, port) = host_and_port(place).ok_or("invalid host")?;
        hosts.push(decode(host));
        ports.push(decode(port.unwrap_or_default()));
    }
    written.set("host", hosts.join(","));
    if ports.iter().any(|port| !port.is_empty()) {
        written.set("port", ports.join(","));
    }
    written.set("dbname", decode(name));
    for (keyword, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        // As libpq does it for JDBC's sake.
        if (keyword, value) == ("ssl", "true") {
            written.set("sslmode", "require".into());
        }
        written.set(&decode(keyword), decode(value));
    }
    Ok(written)
}

/// What stands before the last `@` of the part that names the server. A password may hold a bare `?`.
fn split_credentials(rest: &str) -> (Option<&str>, &str) {
    let before_path = &rest[..rest.find('/').unwrap_or(rest.len())];
    let before_query = &before_path[..before_path.find('?').unwrap_or(before_path.len())];
    let at = before_query.rfind('@').or_else(|| {
        before_path.rfind('@').filter(|at| before_path[..*at].contains(':') && before_query.contains(':'))
    });
    at.map_or((None, rest), |at| (Some(&rest[..at]), &rest[at + 1..]))
}

/// `host`, `host:port`, `[::1]:port`.
pub(crate) fn host_and_port(place: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let port = after.strip_prefix(':');
        return (after.is_empty() || port.is_some()).then_some((host, port));
    }
    match place.split_once(':') {
        // A bare IPv6 address.
        Some((_, port)) if port.contains(':') => Some((place, None)),
        Some((host, port)) => Some((host, Some(port))),
        None => Some((place, None)),
    }
}

/// `host=db dbname=app`, `Host=db;Database=app`, `pgsql:host=db;dbname=app`.
fn keywords(text: &str) -> Result<ConnectionString, String> {
    const WRONG: &str = "it is neither a URL such as postgres://user:password@host:port/name nor keywords such as host=… dbname=…";
    let text = text.strip_prefix("pgsql:").unwrap_or(text);
    let mut written = ConnectionString::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=').ok_or(WRONG)?;
        let keyword = keyword.trim();
        if keyword.is_empty() || keyword.contains(['\'', '"', '/', '\n']) {
            return Err(WRONG.into());
        }
        let by_semicolon = text.contains(';');
        let (value, next) = value(after.trim_start(), by_semicolon).ok_or("a quote is not closed")?;
        let (keyword, value) = in_libpq(keyword, value);
        if keyword == "host" && !value.starts_with('/') && !value.contains(',') {
            let (host, port) = host_and_port(&value).ok_or("invalid host")?;
            written.set("host", host.to_owned());
            if let Some(port) = port {
                written.set("port", port.to_owned());
            }
        } else {
            written.set(&keyword, value);
        }
        rest = next.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
    }
    Ok(written)
}

/// A value, quoted or not, and what follows it.
fn value(text: &str, by_semicolon: bool) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quote.is_some()));
    while let Some((at, c)) = chars.next() {
        let ends = match quote {
            Some(quote) => c == quote,
            None if by_semicolon => c == ';',
            None => c.is_whitespace(),
        };
        if ends {
            return Some((value, &text[at + c.len_utf8()..]));
        }
        match c {
            '\\' if !by_semicolon => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    quote.is_none().then_some((value.trim_end().to_owned(), ""))
}

/// A keyword of Npgsql or ODBC, and its value, as libpq writes them.
fn in_libpq(keyword: &str, value: String) -> (String, String) {
    let bare: String =
        keyword.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let known = match bare.as_str() {
        "host" | "server" | "datasource" | "address" | "addr" => "host",
        "database" | "db" | "initialcatalog" | "dbname" => "dbname",
        "user" | "username" | "userid" | "uid" => "user",
        "password" | "pwd" | "passwd" => "password",
        "rootcertificate" => "sslrootcert",
        "sslmode" => {
            let mode = match value.to_ascii_lowercase().as_str() {
                "verifyca" => "verify-ca".to_owned(),
                "verifyfull" => "verify-full".to_owned(),
                other => other.to_owned(),
            };
            return ("sslmode".into(), mode);
        }
        _ => return (keyword.to_ascii_lowercase(), value),
    };
    (known.to_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// host, port, user, password, name
    fn told(text: &str) -> [String; 5] {
        let written = ConnectionString::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        ["host", "port", "user", "password", "dbname"].map(|k| written.get(k).unwrap_or_default().to_owned())
    }

    #[test]
    fn each_form_names_the_same_connection() {
        for text in [
            "postgres://u:p@db:6543/app",
            "postgresql://u:p@db:6543/app?schema=public",
            "postgresql://u:p@db:6543/app?pgbouncer=true&connection_limit=1&pool=20&flag",
            "postgresql+psycopg2://u:p@db:6543/app",
            "postgis://u:p@db:6543/app",
            "ecto://u:p@db:6543/app",
            "jdbc:postgresql://db:6543/app?user=u&password=p&currentSchema=x",
            "r2dbc:pool:postgresql://u:p@db:6543/app",
            "postgresql://u:p@/app?host=db&port=6543",
            "postgresql:///app?host=db&port=6543&user=u&password=p",
            "host=db port=6543 user=u password='p' dbname=app sslmode=disable TimeZone=UTC",
            "Host=db;Port=6543;Database=app;Username=u;Password=p;Pooling=true",
            "Server=db:6543; User Id=u; Password=\"p\"; Database=app;",
            "pgsql:host=db;port=6543;dbname=app;user=u;password=p",
        ] {
            assert_eq!(told(text), ["db", "6543", "u", "p", "app"], "{text}");
        }
    }

    #[test]
    fn a_socket_an_address_and_what_is_not_said_are_read_as_libpq_reads_them() {
        assert_eq!(told("postgresql:///app?host=/run/postgresql")[0], "/run/postgresql");
        assert_eq!(told("postgresql://u@%2Frun%2Fpostgresql/app")[0], "/run/postgresql");
        assert_eq!(told("host=/run/postgresql dbname=app")[0], "/run/postgresql");
        assert_eq!(told("postgres://u@[::1]:6543/app")[..2], ["::1", "6543"]);
        assert_eq!(told("postgres://u@a:1,b:2/app")[..2], ["a,b", "1,2"]);
        assert_eq!(told("postgres://u@db")[4], "");
        assert_eq!(told("postgres://u:a%40b%2F@db/x%20y")[3..], ["a@b/", "x y"]);
        assert_eq!(told("postgres://u:a?b#c@db/x")[3..], ["a?b#c", "x"]);
        assert_eq!(
            ConnectionString::parse("postgres://h/d?ssl=true").unwrap().get("sslmode"),
            Some("require")
        );
    }

    #[test]
    fn every_place_where_a_server_may_be_is_named_with_its_port() {
        for (text, wanted) in [
            ("postgres://u:p@one:1,two/x", &[("one", Some(1)), ("two", None)][..]),
            ("host=one,two port=6 dbname=x", &[("one", Some(6)), ("two", Some(6))]),
            ("jdbc:postgresql://db:5433/x?user=u", &[("db", Some(5433))]),
            ("postgres:///x?host=/var/run/postgresql&port=6", &[("/var/run/postgresql", Some(6))]),
            ("host=db hostaddr=10.0.0.5 dbname=x", &[("db", None), ("10.0.0.5", None)]),
            ("https://u@db/x", &[]),
            ("-Xmx=1 --host=db", &[]),
        ] {
            let found = places(text);
            let found: Vec<_> = found.iter().map(|(host, port)| (host.as_str(), *port)).collect();
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_connection_to_postgresql_is_not_taken_for_one() {
        for text in [
            "mysql://u:p@db/x",
            "redis://db:6379",
            "https://db/x?host=db",
            "db",
            "a=b",
            "user=u",
            "{\"a\":\"b=c\"}",
            "NODE_OPTIONS=--max-old-space-size=1",
            "postgres://u:p@db:port/x",
            "",
            "postgresql:///x",
        ] {
            assert!(ConnectionString::recognize(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_error_repeats_nothing_of_the_text() {
        for text in [
            "postgres://u:topsecret@db:port/x",
            "postgres://u:topsecret@[::1/x",
            "topsecret",
            "password='topsecret",
        ] {
            let error = ConnectionString::parse(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(!error.contains("topsecret"), "{error}");
        }
    }
}
