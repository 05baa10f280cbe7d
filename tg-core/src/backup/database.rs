//! A database's own properties: what `CREATE DATABASE` needs to make its like, and what pg_dump
//! leaves out (settings, grants, connection limit).

use serde::{Deserialize, Serialize};

use crate::backup::setting::Setting;
use crate::sql::{ident, literal};

/// Where `template0` is, and what is made from it.
const DEFAULT_TABLESPACE: &str = "pg_default";
/// `LOCALE_PROVIDER`; before, there was only the operating system.
const PROVIDER_SINCE: i32 = 150_000;
const LIBC: &str = "c";

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
    #[serde(default)]
    pub is_template: bool,
    /// Those of the server that can change what a value means or what a function returns, and those of its libraries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_settings: Vec<Setting>,
    /// Extensions for which a setting names this database: they may refuse to be created in one of another name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named_by: Vec<String>,
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

    /// Adds settings of the server that are not known yet.
    pub fn add_server_settings(&mut self, more: impl IntoIterator<Item = Setting>) {
        for setting in more {
            if !self.server_settings.iter().any(|known| known.name == setting.name) {
                self.server_settings.push(setting);
            }
        }
    }

    /// An empty database of the same kind under another name, on a server of this version number. What decides how texts
    /// are sorted is never left to the server's own default.
    #[must_use]
    pub fn create(&self, name: &str, server_version_num: i32) -> String {
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
            _ if server_version_num >= PROVIDER_SINCE => sql += " LOCALE_PROVIDER libc",
            _ => {}
        }
        if let Some(rules) = &self.icu_rules {
            sql = format!("{sql} ICU_RULES {}", literal(rules));
        }
        sql
    }

    /// Its settings for another database. As `pg_restore --create` has it they come before the data, since they can decide
    /// what a value means and what a function returns.
    #[must_use]
    pub fn settings_for(&self, name: &str) -> Vec<String> {
        let database = ident(name);
        self.settings.iter().map(|setting| setting.apply(&database)).collect()
    }

    /// What makes another database equal in owner, limit, settings and grants.
    #[must_use]
    pub fn dress(&self, name: &str) -> Vec<String> {
        [self.settings_for(name), self.finish(name)].concat()
    }

    /// The same but for the settings: what comes after the data.
    #[must_use]
    pub fn finish(&self, name: &str) -> Vec<String> {
        let database = ident(name);
        let mut statements = vec![
            format!("ALTER DATABASE {database} OWNER TO {}", ident(&self.owner)),
            format!("ALTER DATABASE {database} CONNECTION LIMIT {}", self.connection_limit),
        ];
        if self.is_template {
            statements.push(format!("ALTER DATABASE {database} IS_TEMPLATE true"));
        }
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

    /// The first thing in which this one would keep or sort texts in another way than that one did.
    #[must_use]
    pub fn other_texts_than(&self, was: &Database) -> Option<String> {
        let tag = |locale: &Option<String>| locale.as_ref().map(|l| l.replace('_', "-").to_ascii_lowercase());
        let (locale, locale_was) = if self.major() == was.major() {
            (self.locale.clone(), was.locale.clone())
        } else {
            // Since 16 ICU's locales are written as language tags.
            (tag(&self.locale), tag(&was.locale))
        };
        let some = |text: &str| Some(text.to_owned());
        let provider = |of: &Database| some(of.provider.as_deref().unwrap_or(LIBC));
        let all = [
            ("encoding", some(&self.encoding), some(&was.encoding)),
            ("locale provider", provider(self), provider(was)),
            ("collation", some(&self.collate), some(&was.collate)),
            ("character type", some(&self.ctype), some(&was.ctype)),
            ("locale", locale, locale_was),
            ("ICU rules", self.icu_rules.clone(), was.icu_rules.clone()),
        ];
        let other = { all }.into_iter().find(|(_, is, was)| is != was);
        let told = |value: Option<String>| value.unwrap_or_else(|| "none".into());
        other.map(|(what, is, was)| format!("its {what}: {} instead of {}", told(is), told(was)))
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
                "ALTER ROLE \"r r\" IN DATABASE \"d d\" SET \"a\".\"b\" TO 'c''d'",
                "ALTER DATABASE \"d d\" OWNER TO \"o\"\"x\"",
                "ALTER DATABASE \"d d\" CONNECTION LIMIT -1",
                "REVOKE ALL ON DATABASE \"d d\" FROM PUBLIC",
                "REVOKE ALL ON DATABASE \"d d\" FROM \"o\"\"x\"",
                "GRANT CONNECT ON DATABASE \"d d\" TO PUBLIC",
            ]
        );
    }

    fn with(provider: Option<&str>, locale: Option<&str>, version: i32) -> Database {
        Database {
            encoding: "UTF8".into(),
            collate: "C".into(),
            ctype: "C".into(),
            provider: provider.map(str::to_owned),
            locale: locale.map(str::to_owned),
            tablespace: DEFAULT_TABLESPACE.into(),
            server_version_num: version,
            ..Database::default()
        }
    }

    #[test]
    fn who_sorts_the_texts_is_never_left_to_the_server_s_default() {
        let libc = with(Some("c"), None, 170_000);
        assert!(libc.create("d", 170_000).ends_with("LC_CTYPE 'C' LOCALE_PROVIDER libc"));
        // A backup of a server that knew no providers, on one that may prefer another.
        assert!(with(None, None, 140_000).create("d", 150_000).ends_with("LOCALE_PROVIDER libc"));
        assert!(!with(None, None, 140_000).create("d", 140_000).contains("PROVIDER"));
        let icu = Database { icu_rules: Some("&a < b".into()), ..with(Some("i"), Some("de-AT"), 170_000) };
        assert!(
            icu.create("d", 170_000).ends_with("LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' ICU_RULES '&a < b'")
        );
        let own = with(Some("b"), Some("C.UTF-8"), 170_000);
        assert!(own.create("d", 170_000).ends_with("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"));
    }

    #[test]
    fn a_database_that_sorts_in_another_way_is_told_from_the_one_that_was() {
        let (libc, icu) = (with(Some("c"), None, 170_000), with(Some("i"), Some("de-AT"), 170_000));
        assert_eq!(libc.other_texts_than(&libc), None);
        assert_eq!(icu.other_texts_than(&libc).unwrap(), "its locale provider: i instead of c");
        let other = Database { icu_rules: Some("&a < b".into()), ..icu.clone() };
        assert_eq!(icu.other_texts_than(&other).unwrap(), "its ICU rules: none instead of &a < b");
        let encoding = Database { encoding: "LATIN1".into(), ..libc.clone() };
        assert!(encoding.other_texts_than(&libc).unwrap().starts_with("its encoding"));
        // The same, as an older server wrote it.
        assert_eq!(icu.other_texts_than(&with(Some("i"), Some("de_AT"), 150_000)), None);
        assert_eq!(libc.other_texts_than(&with(None, None, 140_000)), None);
    }
}
