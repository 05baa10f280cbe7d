//! Which databases the server has, and whether the one that is backed up is the application's: by what PostgreSQL says.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tg_core::backup::Method;
use tg_core::bytes::{size, unsigned};
use tg_core::{Answer, Session};

use crate::catalog;
use crate::cli::{Accept, Cli, DatabasesOptions};
use crate::context::Context;
use crate::error::Error;
use crate::mark::Mark;

const DATABASES: &str = include_str!("sql/databases.sql");
const OWN_TABLES: &str = include_str!("sql/own_tables.sql");
const SESSIONS_OF: &str = include_str!("sql/sessions_of.sql");
/// How many databases are looked into, the largest first.
const MOST: usize = 50;

/// One database of the server.
pub(crate) struct Found {
    name: String,
    /// Nothing where we may not ask.
    bytes: Option<i64>,
    /// Of its own; nothing where we may not look, or did not.
    tables: Option<i64>,
    /// Whether a backup here is of it.
    backed_up: bool,
    /// Whether a container of the application has a session in it; nothing where that can't be told.
    application: Option<bool>,
}

pub(crate) struct Census {
    own: Found,
    others: Vec<Found>,
}

pub(crate) fn run(session: &Session, cli: &Cli, options: &DatabasesOptions) -> Result<Answer, Error> {
    let ctx = Context::open(session, cli, "databases", "looking at the databases beside")?;
    let census = Census::take(&ctx)?;
    for found in std::iter::once(&census.own).chain(&census.others) {
        session.emit.record(&found.sentence(), found.data(found.name == ctx.target.name))?;
    }
    census.warn(&ctx)?;
    let complaint = census.complaint(&ctx, &options.accept);
    let data = json!({
        "changed": false, "database": census.own.name, "database_from": ctx.target.origin(), "tables": census.own.tables,
        "bytes": census.own.bytes, "others": census.others.len(), "reason": complaint,
    });
    Ok(match complaint {
        Some(complaint) => Answer::no(complaint, data),
        None => {
            Answer::yes(format!("{} is what is backed up: {}", census.own.name, census.own.holds()), data)
        }
    })
}

impl Census {
    pub(crate) fn take(ctx: &Context) -> Result<Self, Error> {
        let sessions = sessions(ctx)?;
        let backed_up = backed_up(ctx)?;
        let rows = ctx.cluster()?.client.query(DATABASES, &[&ctx.target.name])?;
        let (mut own, mut others) = (None, Vec::new());
        for (at, row) in rows.iter().enumerate() {
            let (name, open, comment): (String, bool, Option<String>) = (row.get(0), row.get(1), row.get(2));
            let ours = comment.is_some_and(|text| serde_json::from_str::<Mark>(&text).is_ok());
            let is_own = name == ctx.target.name;
            if ours && !is_own {
                continue;
            }
            ctx.session.check("looking at the server's databases")?;
            let looked = is_own || (open && at < MOST);
            let found = Found {
                bytes: row.get(3),
                tables: if looked { tables(ctx, &name, is_own)? } else { None },
                backed_up: backed_up.as_ref().is_none_or(|names| names.contains(&name)),
                application: sessions.as_ref().map(|all| all.contains(&name)),
                name,
            };
            if is_own { own = Some(found) } else { others.push(found) }
        }
        let own = own.ok_or_else(|| Error::NoDatabase(ctx.target.name.clone()))?;
        Ok(Census { own, others })
    }

    /// Tells what a backup of this database would lack.
    pub(crate) fn warn(&self, ctx: &Context) -> Result<(), Error> {
        let emit = &ctx.session.emit;
        let name = &self.own.name;
        if self.own.tables == Some(0) {
            let msg = format!("database {name} has no tables");
            emit.warning(
                "empty-database",
                &msg,
                json!({"database": name, "database_from": ctx.target.origin()}),
            )?;
        }
        if let Some(found) = self.elsewhere() {
            let msg = format!("the application has sessions in database {}, and none in {name}", found.name);
            emit.warning(
                "database-differs",
                &msg,
                json!({"database": name, "other": found.name, "other_from": "sessions"}),
            )?;
        }
        let forgotten: Vec<&Found> =
            self.others.iter().filter(|found| !found.backed_up && found.tables != Some(0)).collect();
        if !forgotten.is_empty() {
            let told = forgotten.iter().map(|found| found.sentence()).collect::<Vec<_>>().join("; ");
            let data: Vec<Value> = forgotten.iter().map(|found| found.data(false)).collect();
            emit.warning(
                "other-databases",
                &format!("no backup here is of {told}"),
                json!({"databases": data}),
            )?;
        }
        Ok(())
    }

    /// Why the answer is no; nothing where it is yes, or a person has accepted it.
    fn complaint(&self, ctx: &Context, accept: &[Accept]) -> Option<String> {
        let name = &self.own.name;
        if !accept.contains(&Accept::OtherDatabase) {
            if let Some(other) = ctx.target.other().filter(|other| other.is_the_application_s) {
                return Some(format!(
                    "the application's database is {} ({}), and not {name}",
                    other.name, other.origin
                ));
            }
            if let Some(found) = self.elsewhere() {
                return Some(format!(
                    "the application has sessions in database {}, and none in {name}",
                    found.name
                ));
            }
        }
        let empty = self.own.tables == Some(0) && !accept.contains(&Accept::EmptyDatabase);
        empty.then(|| match self.others.iter().find(|found| found.tables != Some(0)) {
            Some(other) => format!("database {name} has no tables, and there is {}", other.sentence()),
            None => format!("database {name} has no tables"),
        })
    }

    /// The database that the application works in, where it is seen there and not in ours.
    fn elsewhere(&self) -> Option<&Found> {
        let there = |found: &&Found| found.application == Some(true) && found.tables != Some(0);
        (self.own.application == Some(false)).then(|| self.others.iter().find(there)).flatten()
    }
}

impl Found {
    fn holds(&self) -> String {
        let tables = self.tables.map_or("tables unknown".into(), |n| format!("{n} tables"));
        self.bytes.map_or(tables.clone(), |bytes| format!("{tables}, {}", size(unsigned(bytes))))
    }

    fn sentence(&self) -> String {
        format!("database {} ({})", self.name, self.holds())
    }

    fn data(&self, own: bool) -> Value {
        json!({
            "kind": "database", "name": self.name, "tables": self.tables, "bytes": self.bytes, "own": own,
            "backed_up": self.backed_up, "application": self.application,
        })
    }
}

/// A database that we may not look into is no reason to fail, but ours is.
fn tables(ctx: &Context, name: &str, own: bool) -> Result<Option<i64>, Error> {
    let counted =
        || Ok::<i64, Error>(ctx.target.connect(crate::TOOL, Some(name))?.query_one(OWN_TABLES, &[])?.get(0));
    match counted() {
        Ok(count) => Ok(Some(count)),
        Err(error) if own || ctx.session.check("").is_err() => Err(error),
        Err(_) => Ok(None),
    }
}

/// The databases that a backup here is of; nothing where one is of the whole server.
fn backed_up(ctx: &Context) -> Result<Option<BTreeSet<String>>, Error> {
    let system = ctx.cluster()?.database(&ctx.target.name)?.system;
    let backups = catalog::local(&ctx.store);
    let here =
        backups.iter().filter_map(|b| b.manifest.as_ref().ok()).filter(|m| m.database.system == system);
    let mut names = BTreeSet::new();
    for manifest in here {
        if manifest.method != Method::Dump {
            return Ok(None);
        }
        names.insert(manifest.database.name.clone());
    }
    Ok(Some(names))
}

/// The databases in which the application's containers have sessions; nothing where none is seen: they may be behind a
/// pooler, use a socket, rest, or be hidden from our role.
fn sessions(ctx: &Context) -> Result<Option<BTreeSet<String>>, Error> {
    let mut addresses = Vec::new();
    for service in ctx.project.api.iter().chain(&ctx.project.worker) {
        let running = ctx.engine()?.running(&ctx.project.name, service)?;
        addresses.extend(running.into_iter().flat_map(|container| container.addresses));
    }
    if addresses.is_empty() {
        return Ok(None);
    }
    let rows = ctx.cluster()?.client.query(SESSIONS_OF, &[&addresses])?;
    let names: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    Ok((!names.is_empty()).then_some(names))
}
