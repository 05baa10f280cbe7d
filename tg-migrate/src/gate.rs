//! The backup without which nothing is migrated.

use std::time::Duration;

use serde_json::{Value, json};
use tg_core::backup::{Entry, Store};
use tg_core::clock;

use crate::cli::{Accept, Cli};
use crate::context::Context;
use crate::error::MigrateError;

/// The backup that a migration relies on.
pub(crate) struct Gate {
    pub id: String,
    pub age_s: u64,
    pub verified: bool,
    /// Whether it holds no tables.
    empty: bool,
}

impl Gate {
    /// The newest proven backup of the database, young enough; nothing where its absence is accepted.
    pub(crate) fn pass(ctx: &Context, cli: &Cli, store: &Store) -> Result<Option<Self>, MigrateError> {
        let limit =
            ctx.project.settings().get(cli.backup_max_age, "backup_max_age", tg_core::cli::duration)?;
        let limit = limit.unwrap_or(crate::cli::BACKUP_MAX_AGE);
        let other = ctx.target.other().filter(|other| other.is_the_application_s);
        if let Some(other) = other.filter(|_| !cli.accept.contains(&Accept::OtherDatabase)) {
            return Err(MigrateError::OtherDatabase {
                database: ctx.target.name.clone(),
                other: other.clone(),
            });
        }
        if cli.accept.contains(&Accept::NoBackup) {
            return Ok(Self::newest(ctx, store, |_| true));
        }
        let unverified = cli.accept.contains(&Accept::UnverifiedBackup);
        Self::tell_clock(ctx, store)?;
        let found = Self::newest(ctx, store, |gate| unverified || gate.verified);
        Self::judged(found, limit, &cli.accept, (&ctx.target.name, &store.root().display().to_string()))
            .map(Some)
    }

    /// A backup, if it can be relied on.
    fn judged(
        found: Option<Self>,
        limit: Duration,
        accept: &[Accept],
        (database, directory): (&str, &str),
    ) -> Result<Self, MigrateError> {
        let database = database.to_owned();
        match found {
            Some(gate) if gate.empty && !accept.contains(&Accept::EmptyDatabase) => {
                Err(MigrateError::EmptyBackup { id: gate.id, database })
            }
            Some(gate) if gate.age_s <= limit.as_secs() => Ok(gate),
            found => Err(MigrateError::NoBackup {
                database,
                directory: directory.to_owned(),
                newest_s: found.map(|gate| gate.age_s),
                limit,
            }),
        }
    }

    fn newest(ctx: &Context, store: &Store, good: impl Fn(&Gate) -> bool) -> Option<Self> {
        let gate = |entry: &Entry| {
            let manifest = entry.manifest.as_ref().ok().filter(|m| m.database.name == ctx.target.name)?;
            let verified = entry.verification().is_some_and(|proof| proof.is_good());
            let (id, age_s) = (entry.id.clone(), clock::age_s(&manifest.created)?);
            Some(Gate { id, age_s, verified, empty: manifest.is_empty() })
        };
        store.list().iter().filter_map(gate).find(good)
    }

    /// A backup that is dated in the future has no age, so it lets nothing through.
    fn tell_clock(ctx: &Context, store: &Store) -> Result<(), MigrateError> {
        let future = |entry: &Entry| entry.manifest.as_ref().is_ok_and(|m| clock::is_future(&m.created));
        let ids: Vec<String> = store.list().into_iter().filter(future).map(|entry| entry.id).collect();
        if let Some(first) = ids.first() {
            let msg = format!(
                "{first} is dated in the future and does not count: its clock was wrong, or this host's is"
            );
            ctx.session.emit.warning("clock", &msg, json!({"ids": ids}))?;
        }
        Ok(())
    }

    pub(crate) fn data(&self) -> Value {
        json!({"id": self.id, "age_s": self.age_s, "verified": self.verified})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_holds_no_tables_is_relied_on_only_where_that_is_accepted_by_name() {
        let judged = |empty, accept: &[Accept]| {
            let gate = Gate { id: "b".into(), age_s: 1, verified: true, empty };
            Gate::judged(Some(gate), Duration::from_secs(9), accept, ("default", "backups"))
        };
        assert!(judged(false, &[]).is_ok());
        let error = judged(true, &[Accept::UnverifiedBackup]).err().unwrap();
        assert_eq!(tg_core::Fault::exit(&error), tg_core::Exit::Refused);
        assert_eq!(error.to_string(), "backup b holds no tables: database default had none");
        assert!(judged(true, &[Accept::EmptyDatabase]).is_ok());
    }
}
