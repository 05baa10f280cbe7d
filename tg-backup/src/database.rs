//! A database's own properties: what `CREATE DATABASE` needs to make its like, and what pg_dump
//! leaves out (settings, grants, connection limit).

use serde::{Deserialize, Serialize};
use tg_core::database::{ident, literal};

/// Settings whose value is a list of quoted words, which must be handed over word by word:
/// `GUC_LIST_QUOTE` in PostgreSQL's guc_tables.c.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Database {
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
    /// The cluster's identifier: transaction identifiers mean something only inside one cluster.
    pub system: String,
    pub settings: Vec<Setting>,
    /// Nothing where the built-in grants apply.
    pub grants: Option<Vec<Grant>>,
}

/// `ALTER DATABASE … SET`, or `ALTER ROLE … IN DATABASE … SET`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub role: Option<String>,
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// Nothing for PUBLIC.
    pub role: Option<String>,
    pub privilege: String,
    pub grantable: bool,
}

impl Database {
    /// An empty database of the same kind under another name.
    pub(crate) fn create(&self, name: &str) -> String {
        let mut sql = format!(
            "CREATE DATABASE {} TEMPLATE template0 OWNER {} TABLESPACE {} ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            ident(name),
            ident(&self.owner),
            ident(&self.tablespace),
            literal(&self.encoding),
            literal(&self.collate),
            literal(&self.ctype),
        );
        let locale = self.locale.as_deref().unwrap_or_default();
        match self.provider.as_deref() {
            Some("i") => sql += &format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(locale)),
            Some("b") => sql += &format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale)),
            _ => {}
        }
        if let Some(rules) = &self.icu_rules {
            sql += &format!(" ICU_RULES {}", literal(rules));
        }
        sql
    }

    /// What makes another database equal in owner, limit, settings and grants.
    pub(crate) fn dress(&self, name: &str) -> Vec<String> {
        let database = ident(name);
        let mut statements = vec![
            format!("ALTER DATABASE {database} OWNER TO {}", ident(&self.owner)),
            format!("ALTER DATABASE {database} CONNECTION LIMIT {}", self.connection_limit),
        ];
        for setting in &self.settings {
            let whose = match &setting.role {
                Some(role) => format!("ROLE {} IN DATABASE {database}", ident(role)),
                None => format!("DATABASE {database}"),
            };
            let value = value_of(setting);
            statements.push(format!("ALTER {whose} SET {} TO {value}", ident_of_setting(&setting.name)));
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
}

/// An extension's setting has a dot that must stay outside the quotes.
fn ident_of_setting(name: &str) -> String {
    name.split('.').map(ident).collect::<Vec<_>>().join(".")
}

fn value_of(setting: &Setting) -> String {
    if !LISTS.contains(&setting.name.to_ascii_lowercase().as_str()) {
        return literal(&setting.value);
    }
    let words = words_of(&setting.value);
    if words.is_empty() { "''".into() } else { words.iter().map(|w| literal(w)).collect::<Vec<_>>().join(", ") }
}

/// The words of a list setting without their quotes, as `SplitGUCList` reads them.
fn words_of(list: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = list.chars().peekable();
    let mut any = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                word.push('"');
            }
            '"' => (quoted, any) = (!quoted, true),
            ',' if !quoted => {
                words.push(std::mem::take(&mut word));
                any = false;
            }
            c if !quoted && c.is_whitespace() => {}
            c => {
                word.push(c);
                any = true;
            }
        }
    }
    if any {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Setting {
        Setting { role: None, name: name.into(), value: value.into() }
    }

    #[test]
    fn a_list_setting_is_handed_over_word_by_word() {
        for (value, sql) in [
            ("\"$user\", public", "'$user', 'public'"),
            ("\"we \"\"ird\", x", "'we \"ird', 'x'"),
            ("\"\"", "''"),
            ("", "''"),
        ] {
            assert_eq!(value_of(&setting("search_path", value)), sql);
        }
        assert_eq!(value_of(&setting("work_mem", "8MB")), "'8MB'");
    }

    #[test]
    fn odd_names_are_quoted_everywhere() {
        let database = Database {
            owner: "o\"x".into(),
            settings: vec![Setting { role: Some("r r".into()), ..setting("a.b", "c'd") }],
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
