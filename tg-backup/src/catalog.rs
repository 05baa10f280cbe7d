//! All backups that there are, wherever they are: in the directory, in the store, in both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;
use tg_core::Fault;
use tg_core::backup::Method;
use tg_core::backup::Verification;
use tg_core::backup::manifest::Manifest;
use tg_core::backup::order::{self, Moment, Stamp};
use tg_core::backup::store::{Entry, Store};

use crate::context::Context;
use crate::error::Error;
use crate::remote::{Copy, Remote};

pub(crate) struct Backup {
    pub id: String,
    /// What is wrong with the manifest, where it can't be trusted.
    pub manifest: Result<Box<Manifest>, String>,
    /// Its newest proof.
    pub verification: Option<Verification>,
    /// In the directory.
    pub local: Option<PathBuf>,
    /// In the store.
    pub stored: bool,
}

impl Backup {
    /// The database that it is of, where its manifest can be believed.
    pub(crate) fn database(&self) -> Option<&str> {
        self.manifest.as_ref().ok().map(|m| m.database.name.as_str())
    }

    /// What it is compared with when some are to go: those of the same database and method.
    pub(crate) fn kind(&self) -> Option<(&str, Method)> {
        self.manifest.as_ref().ok().map(|m| (m.database.name.as_str(), m.method))
    }

    pub(crate) fn verified(&self) -> bool {
        self.verification.as_ref().is_some_and(Verification::is_good)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |m| m.bytes())
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp::of(&self.id, self.manifest.as_ref().ok().map(|m| &**m))
    }

    /// In the directory, where it is there.
    pub(crate) fn entry(&self) -> Option<Entry> {
        Some(Entry { id: self.id.clone(), path: self.local.clone()?, manifest: self.manifest.clone() })
    }
}

/// Those of the directory, newest first.
pub(crate) fn local(store: &Store) -> Vec<Backup> {
    merged(store.list(), Vec::new())
}

/// All of them, newest first. A store that can't be asked is told of, and what is here goes on.
pub(crate) fn all(ctx: &Context) -> Result<Vec<Backup>, Error> {
    let copies = match stored(ctx) {
        Ok(copies) => copies,
        Err(error) if ctx.session.check("").is_err() => return Err(error),
        Err(error) => {
            let msg = format!("copies in the store are not known: {error}");
            ctx.session.emit.warning("store-unknown", &msg, json!({"cause": error.code()}))?;
            Vec::new()
        }
    };
    let all = merged(ctx.store.list(), copies);
    tell_clocks(ctx, &all)?;
    Ok(all)
}

/// When each of these was made, as far as that can be told.
pub(crate) fn moments(backups: &[Backup]) -> Vec<Moment> {
    order::moments(&backups.iter().map(Backup::stamp).collect::<Vec<_>>())
}

/// Says which backups a clock has dated wrongly, or this host's clock makes look so.
pub(crate) fn tell_clocks(ctx: &Context, backups: &[Backup]) -> Result<(), Error> {
    let moved = backups.iter().zip(moments(backups)).filter(|(_, moment)| moment.moved);
    let ids: Vec<&str> = moved.map(|(backup, _)| backup.id.as_str()).collect();
    if let Some(first) = ids.first() {
        let others = if ids.len() > 1 { format!(" and {} more", ids.len() - 1) } else { String::new() };
        let msg = format!(
            "{first}{others}: dated later than now, or than a backup that was made after it; a clock was wrong, and the server's transactions say what is newer"
        );
        ctx.session.emit.warning("clock", &msg, json!({"ids": ids}))?;
    }
    Ok(())
}

/// Those of the store, newest first; none where there is no store.
pub(crate) fn stored(ctx: &Context) -> Result<Vec<Copy>, Error> {
    let check = || ctx.session.check("asking the store");
    Remote::of(ctx, &check)?.map_or(Ok(Vec::new()), |remote| remote.list())
}

pub(crate) fn merged(entries: Vec<Entry>, copies: Vec<Copy>) -> Vec<Backup> {
    let mut all: BTreeMap<String, Backup> = BTreeMap::new();
    for entry in entries {
        let verification = entry.verification();
        let backup = Backup {
            id: entry.id.clone(),
            manifest: entry.manifest,
            verification,
            local: Some(entry.path),
            stored: false,
        };
        all.insert(entry.id, backup);
    }
    for copy in copies {
        let Some(backup) = all.get_mut(&copy.id) else {
            let Copy { id, manifest, verification } = copy;
            all.insert(id.clone(), Backup { id, manifest, verification, local: None, stored: true });
            continue;
        };
        backup.stored = true;
        let at = |proof: &Option<Verification>| proof.as_ref().map(|p| p.at.clone());
        if at(&copy.verification) > at(&backup.verification) {
            backup.verification = copy.verification;
        }
    }
    let mut all: Vec<Option<Backup>> = all.into_values().map(Some).collect();
    let stamps: Vec<Stamp> = all.iter().flatten().map(Backup::stamp).collect();
    order::newest_first(&stamps).into_iter().filter_map(|i| all[i].take()).collect()
}
