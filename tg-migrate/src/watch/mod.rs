//! Looks on while a migrator runs: which locks it has, who waits behind it, how far its indexes are. Cancels
//! it when others wait too long behind it while it waits itself: then it has nothing to lose.

mod ledger;
mod sample;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tg_core::container::RUN_LABEL;
use tg_core::database::Client;
use tg_core::engine::Engine;

use crate::context::Context;
use crate::error::MigrateError;
use crate::remains::Traces;
pub(crate) use ledger::{Jam, Ledger};
use sample::{Sample, Sampler};

/// What our own sessions are called.
const APPLICATION: &str = "tg-migrate-watch";
const PROGRESS: &str = include_str!("../sql/index_progress.sql");
const NAMES: &str = "SELECT c.oid::bigint, pg_catalog.format('%s.%s', n.nspname, c.relname) \
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid >= 16384";
const CANCEL: &str = "SELECT pg_catalog.pg_cancel_backend($1)";
/// A look takes about a millisecond of the server's time.
const LOOK: Duration = Duration::from_millis(100);
/// How often progress is asked for, and the migrator's address until it is known.
const SLOWLY: Duration = Duration::from_secs(1);
/// The part of `--max-block` that is kept for the cancel's arrival, and for those who queue behind the ones that waited.
const KEPT: u32 = 10;
/// Who has waited so long is told of while it lasts.
const WORTH_TELLING_MS: u64 = 1000;

/// Whom to watch, and how long others may wait behind it.
pub(crate) struct Watch<'a> {
    pub ctx: &'a Context<'a>,
    /// The name that its sessions were given.
    pub application: &'a str,
    /// Whether it has a container of its own, whose address tells its sessions from others.
    pub contained: bool,
    pub max_block: Duration,
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Watched {
    pub ledger: Ledger,
    /// Why it was cancelled, if it was.
    pub cancelled: Option<Jam>,
    /// How the migrator is known.
    pub traces: Traces,
}

struct Eyes {
    client: Client,
    sampler: Sampler,
}

impl Watch<'_> {
    /// Until the migrator has ended, adding to what earlier attempts came to. What can't be seen is told once; the migration does not depend on it.
    pub(crate) fn run(&self, done: &AtomicBool, ledger: Ledger) -> Watched {
        let traces = Traces {
            application: self.application.to_owned(),
            addresses: Vec::new(),
            contained: self.contained,
        };
        let mut watched = Watched { ledger, cancelled: None, traces };
        let (mut eyes, mut told, mut slowly) = (None, BTreeSet::new(), None);
        while !done.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let slow = slowly.is_none_or(|at: Instant| at.elapsed() >= SLOWLY);
            if slow {
                slowly = Some(begun);
                if self.contained && watched.traces.addresses.is_empty() {
                    watched.traces.addresses = self.addresses();
                }
            }
            if let Err(error) = self.look(&mut eyes, &mut watched, &mut told, slow) {
                eyes = None;
                self.tell(&mut told, "blind", &format!("the migrator can't be watched: {error}"), json!({}));
            }
            std::thread::sleep(LOOK.saturating_sub(begun.elapsed()));
        }
        watched.ledger.pause();
        watched
    }

    fn look(
        &self,
        eyes: &mut Option<Eyes>,
        watched: &mut Watched,
        told: &mut BTreeSet<String>,
        slow: bool,
    ) -> Result<(), MigrateError> {
        let Eyes { client, sampler } = match eyes {
            Some(eyes) => eyes,
            None => eyes.insert(self.open()?),
        };
        let sample = sampler.look(client, self.application, &watched.traces.addresses)?;
        let now = Instant::now();
        watched.ledger.add(&sample, now, self.application);
        if watched.ledger.unnamed && !watched.ledger.named {
            let msg = "the migrator's sessions do not carry the name that they were given, so lock_timeout may not apply either; \
                they are known by their address";
            self.tell(told, "unnamed", msg, json!({"expected": self.application}));
        }
        let limit = self.max_block.saturating_sub(self.max_block / KEPT).saturating_sub(LOOK);
        if let Some(jam) = watched.ledger.jam(&sample, now, limit) {
            self.cancel(client, watched, told, jam);
        }
        self.warn(&sample, told);
        if slow {
            self.progress(client, &sample)?;
        }
        Ok(())
    }

    fn open(&self) -> Result<Eyes, MigrateError> {
        let mut client = self.ctx.target.connect(APPLICATION, None)?;
        let sampler = Sampler::new(&mut client)?;
        Ok(Eyes { client, sampler })
    }

    /// The addresses of the migrator's container.
    fn addresses(&self) -> Vec<String> {
        // The engine façade serves one thread.
        let label = format!("{RUN_LABEL}={}", self.ctx.session.run);
        let found = Engine::connect(&self.ctx.session.bounds()).and_then(|engine| engine.labelled(&[label]));
        let project = &self.ctx.project;
        let ours = found.unwrap_or_default().into_iter().filter(|c| c.service == project.migrate);
        ours.flat_map(|container| container.addresses).collect()
    }

    fn cancel(&self, client: &mut Client, watched: &mut Watched, told: &mut BTreeSet<String>, jam: Jam) {
        // Once is enough: it takes a moment to end.
        if watched.cancelled.as_ref().is_some_and(|before| before.pid == jam.pid) {
            return;
        }
        let Jam { pid, ms, victims } = jam;
        let data = json!({"pid": pid, "waited_ms": ms, "sessions": victims});
        let waited = format!("{victims} sessions waited up to {ms} ms behind the waiting migrator");
        match client.query_one(CANCEL, &[&pid]).map(|row| row.get(0)) {
            Ok(true) => {
                // What can't be told now is in the record at the end.
                let _ = self.ctx.session.emit.warning("cancelled", &format!("{waited}: cancelled it"), data);
                watched.cancelled = Some(jam);
            }
            // It has ended by itself.
            Ok(false) => {}
            Err(error) => {
                let why = error.to_string();
                let msg = format!(
                    "{waited}, and it can't be cancelled: {why}: GRANT pg_signal_backend TO this role"
                );
                self.tell(told, "not-cancelled", &msg, data);
            }
        }
    }

    /// Who waits long is told once for each relation.
    fn warn(&self, sample: &Sample, told: &mut BTreeSet<String>) {
        for victim in sample.victims.iter().filter(|v| v.waited_ms.unwrap_or(0) >= WORTH_TELLING_MS) {
            let ms = victim.waited_ms.unwrap_or(0);
            let msg =
                format!("{} (pid {}) has waited {ms} ms behind the migrator", victim.application, victim.pid);
            let key = format!("holding-up {}", victim.relation.unwrap_or(0));
            if told.insert(key) {
                let data = json!({"pid": victim.pid, "application": victim.application, "query": victim.query, "waited_ms": ms});
                // What can't be told now is in the record at the end.
                let _ = self.ctx.session.emit.warning("holding-up", &msg, data);
            }
        }
    }

    fn progress(&self, client: &mut Client, sample: &Sample) -> Result<(), MigrateError> {
        let pids: Vec<i32> = sample.sessions.iter().map(|s| s.pid).collect();
        let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
        for row in client.query(PROGRESS, &[&pids])? {
            let (msg, unit): (String, String) = (row.get(0), row.get(3));
            self.ctx.session.emit.progress(&msg, unsigned(row.get(1)), unsigned(row.get(2)), &unit)?;
        }
        Ok(())
    }

    fn tell(&self, told: &mut BTreeSet<String>, code: &str, msg: &str, data: serde_json::Value) {
        if told.insert(code.to_owned()) {
            let _ = self.ctx.session.emit.warning(code, msg, data);
        }
    }
}

/// The names of all tables and indexes, by their numbers: while a migration is not committed nobody else
/// can look them up.
pub(crate) fn names(client: &mut Client) -> Result<HashMap<i64, String>, MigrateError> {
    Ok(client.query(NAMES, &[])?.iter().map(|row| (row.get(0), row.get(1))).collect())
}
