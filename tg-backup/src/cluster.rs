//! The server beside the database: what is done to databases from outside, over a connection to
//! another one.

use std::time::Duration;

use tg_core::Fault;
use tg_core::backup::database::Database;
use tg_core::backup::setting::Setting;
use tg_core::database::Client;
use tg_core::database::{Target, ident, literal};
use tg_core::redact::names_a_secret;

use crate::error::Error;
use crate::mark::{Mark, Marked};
use crate::names::Kind;

const DATABASE: &str = include_str!("sql/database.sql");
const CUSTOM: &str = include_str!("sql/custom.sql");
const SUPERUSER: &str = "SELECT pg_catalog.current_setting('is_superuser') = 'on'";
const MARKED: &str = include_str!("sql/marked.sql");
const OID: &str = "SELECT oid, datallowconn FROM pg_catalog.pg_database WHERE datname = $1";
const TEMPLATE: &str = "SELECT FROM pg_catalog.pg_database WHERE datname = $1 AND datistemplate";
/// Where we connect for work on databases; the second may be closed to others while we are there.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];
/// The oldest server with everything that we use: `DROP DATABASE … WITH (FORCE)`, `xid8`.
const OLDEST: i32 = 130_000;
pub(crate) struct Cluster {
    pub client: Client,
}

impl Cluster {
    /// Connects to a database that is not the target.
    pub(crate) fn open(target: &Target) -> Result<Self, Error> {
        let mut candidates = MAINTENANCE.into_iter().filter(|name| *name != target.name);
        let first = candidates.next().unwrap_or(MAINTENANCE[1]);
        let client = match (target.connect(crate::TOOL, Some(first)), candidates.next()) {
            // 3D000: no such database. Any other refusal is for the user.
            (Err(e), Some(second)) if e.code() == "database-refused" && e.to_string().contains("3D000") => {
                target.connect(crate::TOOL, Some(second))?
            }
            (first, _) => first?,
        };
        Ok(Cluster { client })
    }

    /// A database's properties.
    pub(crate) fn database(&mut self, name: &str) -> Result<Database, Error> {
        let row = self.client.query_opt(DATABASE, &[&name])?;
        let text: String = row.ok_or_else(|| Error::NoDatabase(name.into()))?.get(0);
        let mut database: Database = serde_json::from_str(&text)
            .map_err(|e| Error::Core(tg_core::Error::Sql(format!("properties of {name}: {e}"))))?;
        if self.client.query_one(SUPERUSER, &[])?.get(0) {
            let custom = self.client.query(CUSTOM, &[])?;
            let custom = custom.iter().map(|row| Setting { role: None, name: row.get(0), value: row.get(1) });
            database.add_server_settings(custom);
        }
        // The manifest of an encrypted backup is not encrypted.
        database.server_settings.retain(|setting| !names_a_secret(&setting.name));
        if database.server_version_num < OLDEST {
            return Err(Error::TooOld(database.server_version));
        }
        Ok(database)
    }

    /// A database's identity, and whether it lets anybody in.
    pub(crate) fn find(&mut self, name: &str) -> Result<Option<(u32, bool)>, Error> {
        Ok(self.client.query_opt(OID, &[&name])?.map(|row| (row.get(0), row.get(1))))
    }

    /// The databases that we made for this one, oldest first.
    pub(crate) fn marked(&mut self, of: &str) -> Result<Vec<Marked>, Error> {
        Ok(self.ours(of)?.into_iter().filter_map(|(name, marked)| Some(Marked { name, ..marked? })).collect())
    }

    /// Databases named by us for this one that carry no mark: a killed run made them half.
    pub(crate) fn unmarked(&mut self, of: &str) -> Result<Vec<String>, Error> {
        let named = |name: &str| Kind::ALL.iter().any(|kind| kind.matches(name, of));
        let ours = self.ours(of)?;
        Ok(ours
            .into_iter()
            .filter(|(name, mark)| mark.is_none() && named(name))
            .map(|(name, _)| name)
            .collect())
    }

    fn ours(&mut self, of: &str) -> Result<Vec<(String, Option<Marked>)>, Error> {
        let rows = self.client.query(MARKED, &[])?;
        let read = |row: &postgres::Row| {
            let (oid, name, bytes) = (row.get(0), row.get::<_, String>(1), row.get(4));
            let comment: Option<String> = row.get(3);
            let Some(comment) = comment else { return Some((name, None)) };
            // A comment that is not ours makes the database somebody else's.
            let mark: Mark = serde_json::from_str(&comment).ok()?;
            (mark.of == of).then(|| (name.clone(), Some(Marked { oid, name, bytes, mark })))
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// The answer of a question with one number.
    pub(crate) fn number(&mut self, sql: &str) -> Result<i64, Error> {
        Ok(self.client.query_one(sql, &[])?.get(0))
    }

    /// Runs statements; the server takes several in one text as one transaction.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<(), tg_core::database::QueryError> {
        self.client.batch_execute(sql)
    }

    /// Runs statements, one transaction each.
    pub(crate) fn execute_all(&mut self, statements: &[String]) -> Result<(), Error> {
        statements.iter().try_for_each(|sql| Ok(self.execute(sql)?))
    }

    /// Drops a database of ours, with whoever is in it. One that is a template is no longer one then.
    pub(crate) fn drop_database(&mut self, name: &str) -> Result<(), Error> {
        if self.client.query_opt(TEMPLATE, &[&name])?.is_some() {
            self.execute(&format!("ALTER DATABASE {} IS_TEMPLATE false", ident(name)))?;
        }
        Ok(self.execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name)))?)
    }

    /// A name of ours that is not taken yet.
    pub(crate) fn free_name(&mut self, kind: Kind, database: &str) -> Result<String, Error> {
        let mut at = std::time::SystemTime::now();
        loop {
            let name = kind.name(at, database);
            if self.find(&name)?.is_none() {
                return Ok(name);
            }
            at += Duration::from_secs(1);
        }
    }

    /// Lets the live database in again where a killed swap left it closed.
    pub(crate) fn reopen(&mut self, live: &str) -> Result<bool, Error> {
        let mut opened = false;
        for mut half in self.marked(live)?.into_iter().filter(|m| m.mark.closing) {
            half.mark.closing = false;
            let open = if self.find(live)?.is_some_and(|(_, open)| !open) {
                opened = true;
                allow(live, true)
            } else {
                String::new()
            };
            self.execute(&format!("{open} {}", comment(&half.name, Some(&half.mark.text()))))?;
        }
        Ok(opened)
    }
}

/// `COMMENT ON DATABASE`; nothing removes it.
pub(crate) fn comment(database: &str, text: Option<&str>) -> String {
    format!("COMMENT ON DATABASE {} IS {};", ident(database), text.map_or("NULL".into(), literal))
}

/// Lets everybody into a database, or nobody.
pub(crate) fn allow(database: &str, yes: bool) -> String {
    format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {yes};", ident(database))
}

/// Gives a database another name.
pub(crate) fn rename(from: &str, to: &str) -> String {
    format!("ALTER DATABASE {} RENAME TO {};", ident(from), ident(to))
}
