//! `.pgpass`, by the rules of PostgreSQL's documentation, section "The Password File".

use std::path::PathBuf;

use crate::settings::process_env;

/// The password for a connection, from `PGPASSFILE` or `~/.pgpass`.
#[must_use]
pub fn lookup(host: &str, port: u16, database: &str, user: &str) -> Option<String> {
    let path = process_env("PGPASSFILE")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".pgpass")))?;
    let text = std::fs::read_to_string(path).ok()?;
    find(&text, [host, &port.to_string(), database, user])
}

/// One line of a password file for this user at any port of a host.
#[must_use]
pub fn line(host: &str, user: &str, password: &str) -> String {
    format!("{}:*:*:{}:{}\n", escape(host), escape(user), escape(password))
}

fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = split(line);
        let matches =
            fields.len() == 5 && fields.iter().zip(wanted).all(|(field, want)| field == "*" || field == want);
        matches.then(|| fields[4].clone())
    })
}

fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => fields.last_mut().into_iter().for_each(|f| f.extend(chars.next())),
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields.last_mut().into_iter().for_each(|f| f.push(c)),
        }
    }
    fields
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_written_line_is_found_again(user in "[a-z:\\\\]{1,9}", password in "[ -~]{1,20}") {
            let text = format!("# none\nother:*:*:*:x\n{}", line("h", &user, &password));
            proptest::prop_assert_eq!(find(&text, ["h", "5432", "db", &user]), Some(password));
        }
    }
}
