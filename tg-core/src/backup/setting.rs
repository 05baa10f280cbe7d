//! A setting that belongs to a database, or to a role in it.

use serde::{Deserialize, Serialize};

use crate::sql::{ident, literal};

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

/// `ALTER DATABASE … SET`, or `ALTER ROLE … IN DATABASE … SET`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Nothing for whoever connects.
    pub role: Option<String>,
    /// Name, with a dot where it is an extension's.
    pub name: String,
    /// As the catalog has it.
    pub value: String,
}

impl Setting {
    /// The statement that gives it to a database, whose name comes quoted.
    #[must_use]
    pub fn apply(&self, database: &str) -> String {
        let whose = match &self.role {
            Some(role) => format!("ROLE {} IN DATABASE {database}", ident(role)),
            None => format!("DATABASE {database}"),
        };
        format!("ALTER {whose} SET {} TO {}", ident_of_setting(&self.name), value_of(self))
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
    if words.is_empty() {
        "''".into()
    } else {
        words.iter().map(|w| literal(w)).collect::<Vec<_>>().join(", ")
    }
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
}
