//! Extensions that can be created in one database of the server alone, told by its name. A restore builds beside the live
//! database and changes the names afterwards, which they don't bear.

use serde_json::json;
use tg_core::backup::{Database, Manifest};
use tg_core::database::Client;
use tg_core::sql::ident;
use tg_core::throwaway::Throwaway;

use crate::context::Context;
use crate::error::Error;
use crate::facts;

const SETTINGS: &str = include_str!("sql/named_by.sql");
const CODE: &str = "bound-to-name";
/// Of a library that is called `pg_cron` they may begin with `cron`.
const PREFIX: &str = "pg_";
/// What is in every database from the beginning.
const BUILT_IN: &str = "plpgsql";
/// A database of a throwaway server, called as no other one is.
const ELSEWHERE: &str = "tg_elsewhere";
/// What pg_restore calls it.
const ENTRY: &str = "EXTENSION ";

/// Extensions of a database for which a setting names it.
pub(crate) fn named_by(client: &mut Client, database: &Database) -> Result<Vec<String>, Error> {
    let shown = client.query(SETTINGS, &[])?.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<_>>();
    let own = database.server_settings.iter().map(|s| (s.name.clone(), s.value.clone()));
    let settings: Vec<(String, String)> = shown.into_iter().chain(own).collect();
    let names = facts::extensions(client)?.into_iter().map(|extension| extension.name);
    Ok(names.filter(|name| settings.iter().any(|setting| names_it(name, setting, &database.name))).collect())
}

/// Whether a setting of this extension names the database, alone or among others.
fn names_it(extension: &str, (name, value): &(String, String), database: &str) -> bool {
    let prefix = name.split_once('.').map_or("", |(prefix, _)| prefix);
    let own = prefix == extension || extension.strip_prefix(PREFIX) == Some(prefix);
    own && value.split(',').any(|part| part.trim().trim_matches('"') == database)
}

/// Warns of them, when a backup or a plan is made.
pub(crate) fn warn(ctx: &Context, database: &Database) -> Result<(), Error> {
    for extension in &database.named_by {
        let msg = format!(
            "a setting of extension {extension} names database {}: it may refuse to be created in one of another name, which \
             a restore has to do; create --verify tries it; if so: {}",
            database.name,
            way(&database.name)
        );
        ctx.session.emit.warning(CODE, &msg, json!({"object": extension, "proven": false}))?;
    }
    Ok(())
}

/// The same, where it was tried.
pub(crate) fn warn_proven(ctx: &Context, database: &str, extensions: &[String]) -> Result<(), Error> {
    for extension in extensions {
        let msg = format!(
            "extension {extension} can't be created in a database of another name than {database}, so restore can't bring \
             this backup back: {}",
            way(database)
        );
        ctx.session.emit.warning(CODE, &msg, json!({"object": extension, "proven": true}))?;
    }
    Ok(())
}

/// What works instead.
pub(crate) fn way(database: &str) -> String {
    format!(
        "stop the application, rename {database} to another name, and follow the backup's RECOVERY.md with {database} as the \
         name of the new database; rollback points (point create) and copies of the whole server come back as usual"
    )
}

/// The hint where a restore has failed at such an extension.
pub(crate) fn cure(object: &str, database: &Database) -> Option<String> {
    let extension = object.strip_prefix(ENTRY)?.trim_start_matches("- ");
    database.named_by.iter().any(|name| name == extension).then(|| way(&database.name))
}

/// Tries on a throwaway server, where all of them have come back in a database of its own name, which ones refuse another.
pub(crate) fn refused_elsewhere(server: &Throwaway, manifest: &Manifest) -> Result<Vec<String>, Error> {
    let extensions = manifest.extensions.iter().filter(|extension| extension.name != BUILT_IN);
    let mut extensions = { extensions }.map(|extension| &extension.name).peekable();
    if extensions.peek().is_none() {
        return Ok(Vec::new());
    }
    let mut beside = server.beside(&manifest.database.name)?;
    beside.batch_execute(&format!("CREATE DATABASE {ELSEWHERE} TEMPLATE template0"))?;
    for statement in manifest.database.settings_for(ELSEWHERE) {
        beside.batch_execute(&statement)?;
    }
    let mut client = server.connect(ELSEWHERE)?;
    let create = |name: &&String| {
        let sql = format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE", ident(name));
        // Any other reason would have kept it from coming back, too.
        client.batch_execute(&sql).is_err()
    };
    let refused = extensions.filter(create).cloned().collect();
    drop(client);
    beside.batch_execute(&format!("DROP DATABASE {ELSEWHERE} WITH (FORCE)"))?;
    Ok(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_of_an_extension_that_names_the_database_is_found() {
        let is = |extension: &str, name: &str, value: &str| {
            names_it(extension, &(name.to_owned(), value.to_owned()), "app")
        };
        assert!(is("pg_cron", "cron.database_name", "app"));
        assert!(is("own", "own.databases", "other, \"app\""));
        assert!(!is("pg_cron", "cron.database_name", "apps"));
        assert!(!is("own", "application.name", "app"), "it belongs to nothing that is restored");
        assert!(!is("own", "own", "app"));
    }

    #[test]
    fn who_fails_at_such_an_extension_is_told_another_way() {
        let database =
            Database { name: "app".into(), named_by: vec!["pg_cron".into()], ..Database::default() };
        assert!(cure("EXTENSION - pg_cron", &database).unwrap().contains("rename app"));
        assert!(cure("EXTENSION pg_cron", &database).is_some());
        assert_eq!(cure("EXTENSION - postgis", &database), None);
        assert_eq!(cure("TABLE public pg_cron", &database), None);
    }
}
