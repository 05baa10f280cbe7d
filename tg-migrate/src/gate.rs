//! The backup without which nothing is migrated.

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
}

impl Gate {
    /// The newest proven backup of the database, young enough; nothing where its absence is accepted.
    pub(crate) fn pass(ctx: &Context, cli: &Cli, store: &Store) -> Result<Option<Self>, MigrateError> {
        let limit =
            ctx.project.settings().get(cli.backup_max_age, "backup_max_age", tg_core::cli::duration)?;
        let limit = limit.unwrap_or(crate::cli::BACKUP_MAX_AGE);
        if cli.accept.contains(&Accept::NoBackup) {
            return Ok(Self::newest(ctx, store, |_| true));
        }
        let unverified = cli.accept.contains(&Accept::UnverifiedBackup);
        Self::tell_clock(ctx, store)?;
        let found = Self::newest(ctx, store, |gate| unverified || gate.verified);
        match found {
            Some(gate) if gate.age_s <= limit.as_secs() => Ok(Some(gate)),
            found => Err(MigrateError::NoBackup {
                database: ctx.target.name.clone(),
                directory: store.root().display().to_string(),
                newest_s: found.map(|gate| gate.age_s),
                limit,
            }),
        }
    }

    fn newest(ctx: &Context, store: &Store, good: impl Fn(&Gate) -> bool) -> Option<Self> {
        let gate = |entry: &Entry| {
            let manifest = entry.manifest.as_ref().ok().filter(|m| m.database.name == ctx.target.name)?;
            let verified = entry.verification().is_some_and(|proof| proof.is_good());
            Some(Gate { id: entry.id.clone(), age_s: clock::age_s(&manifest.created)?, verified })
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
