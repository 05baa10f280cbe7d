//! A database's own properties: what `CREATE DATABASE` needs to make its like, and what pg_dump
//! leaves out (settings, grants, connection limit).

use serde::{Deserialize, Serialize};

use crate::backup::setting::Setting;
use crate::sql::{ident, literal};

/// Where `template0` is, and what is made from it.
const DEFAULT_TABLESPACE: &str = "pg_default";

/// A database, and the server that it is in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of pg_database")]
pub struct Database {
    pub name: String,
    pub oid: u32,
    pub owner: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// `c`, `i` or `b`; nothing before PostgreSQL 15.
    pub provider: Option<String>,
    /// Of ICU and the built-in provider.
    pub locale: Option<String>,
    pub icu_rules: Option<String>,
    /// Of the operating system's or ICU's collations.
    pub collation_version: Option<String>,
    pub tablespace: String,
    pub connection_limit: i32,
    pub comment: Option<String>,
    pub size_bytes: i64,
    pub server_version: String,
    pub server_version_num: i32,
    /// The role that initdb made.
    pub bootstrap_role: String,
    /// Empty also where we may not see it.
    pub preload_libraries: String,
    /// The cluster's identifier: transaction identifiers mean something only inside one cluster.
    pub system: String,
    /// Its history after the last promotion; transactions of another one may be numbered alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<u32>,
    pub settings: Vec<Setting>,
    /// Nothing where the built-in grants apply.
    pub grants: Option<Vec<Grant>>,
}

/// A right on the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Nothing for PUBLIC.
    pub role: Option<String>,
    /// Such as CONNECT.
    pub privilege: String,
    /// Whether the role may hand it on.
    pub grantable: bool,
}

impl Database {
    /// Of the server.
    #[must_use]
    pub fn major(&self) -> i32 {
        self.server_version_num / 10_000
    }

    /// An empty database of the same kind under another name.
    #[must_use]
    pub fn create(&self, name: &str) -> String {
        let mut sql = format!(
            "CREATE DATABASE {} TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            ident(name),
            ident(&self.owner),
            literal(&self.encoding),
            literal(&self.collate),
            literal(&self.ctype),
        );
        // To name even the default one asks for a right that owners of databases need not have.
        if self.tablespace != DEFAULT_TABLESPACE {
            sql = format!("{sql} TABLESPACE {}", ident(&self.tablespace));
        }
        let locale = literal(self.locale.as_deref().unwrap_or_default());
        match self.provider.as_deref() {
            Some("i") => sql = format!("{sql} LOCALE_PROVIDER icu ICU_LOCALE {locale}"),
            Some("b") => sql = format!("{sql} LOCALE_PROVIDER builtin BUILTIN_LOCALE {locale}"),
            _ => {}
        }
        if let Some(rules) = &self.icu_rules {
            sql = format!("{sql} ICU_RULES {}", literal(rules));
        }
        sql
    }

    /// What makes another database equal in owner, limit, settings and grants.
    #[must_use]
    pub fn dress(&self, name: &str) -> Vec<String> {
        let database = ident(name);
        let mut statements = vec![
            format!("ALTER DATABASE {database} OWNER TO {}", ident(&self.owner)),
            format!("ALTER DATABASE {database} CONNECTION LIMIT {}", self.connection_limit),
        ];
        statements.extend(self.settings.iter().map(|setting| setting.apply(&database)));
        if let Some(grants) = &self.grants {
            for role in ["PUBLIC", &ident(&self.owner)] {
                statements.push(format!("REVOKE ALL ON DATABASE {database} FROM {role}"));
            }
            statements.extend(grants.iter().map(|grant| {
                let role = grant.role.as_deref().map_or("PUBLIC".into(), ident);
                let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
                format!("GRANT {} ON DATABASE {database} TO {role}{option}", grant.privilege)
            }));
        }
        statements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_quoted_everywhere() {
        let database = Database {
            owner: "o\"x".into(),
            settings: vec![Setting { role: Some("r r".into()), name: "a.b".into(), value: "c'd".into() }],
            grants: Some(vec![Grant { role: None, privilege: "CONNECT".into(), grantable: false }]),
            connection_limit: -1,
            ..Database::default()
        };
        assert_eq!(
            database.dress("d d"),
            [
                "ALTER DATABASE \"d d\" OWNER TO \"o\"\"x\"",
                "ALTER DATABASE \"d d\" CONNECTION LIMIT -1",
                "ALTER ROLE \"r r\" IN DATABASE \"d d\" SET \"a\".\"b\" TO 'c''d'",
                "REVOKE ALL ON DATABASE \"d d\" FROM PUBLIC",
                "REVOKE ALL ON DATABASE \"d d\" FROM \"o\"\"x\"",
                "GRANT CONNECT ON DATABASE \"d d\" TO PUBLIC",
            ]
        );
    }
}
