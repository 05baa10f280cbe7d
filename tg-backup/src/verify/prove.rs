//! The proof itself: roles, database, data, and then every table against the manifest.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use tg_core::backup::{Depth, Manifest};
use tg_core::clock::milliseconds;
use tg_core::thread::joined;
use tg_core::throwaway::Throwaway;

use crate::bound;
use crate::cluster::Cluster;
use crate::compare::difference;
use crate::computed::{self, Difference};
use crate::context::Context;
use crate::error::Error;
use crate::fresh;

/// What was compared, and how long it took.
pub(crate) struct Proof {
    /// Nothing where the state of the backup is not one that was read.
    pub depth: Option<Depth>,
    pub restore_ms: u64,
    pub read_ms: u64,
    /// What is computed and came back otherwise.
    pub computed: Vec<String>,
    /// Extensions that refuse a database of another name.
    pub bound: Vec<String>,
}

pub(crate) fn run(
    ctx: &Context,
    server: &Throwaway,
    files: &Path,
    manifest: &Manifest,
) -> Result<Proof, Error> {
    let depth = manifest.depth();
    let intent = json!({"id": manifest.id, "depth": depth});
    ctx.change(
        "verify",
        &format!("restore {} into a throwaway server and compare", manifest.id),
        intent,
        || {
            let begun = Instant::now();
            server.restore(files, manifest)?;
            let restore_ms = milliseconds(begun);
            let reading = Instant::now();
            let (computed, bound) = compared(ctx, server, manifest, depth)?;
            server.dress(&manifest.database)?;
            let read_ms = milliseconds(reading);
            let data = json!({"restore_ms": restore_ms, "read_ms": read_ms, "tables": manifest.tables.len()});
            Ok((Proof { depth: Some(depth), restore_ms, read_ms, computed, bound }, data))
        },
    )
}

/// Everything that is data must be as it was. What is computed and not as it was is told, and which extensions refuse a
/// database of another name.
fn compared(
    ctx: &Context,
    server: &Throwaway,
    manifest: &Manifest,
    depth: Depth,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let name = &manifest.database.name;
    fresh::like(ctx, &Cluster::open(&server.target(name))?.database(name)?, manifest)?;
    let connect = || Ok(server.connect(name)?);
    let was = manifest.facts();
    let (restored, bound) = std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| bound::refused_elsewhere(server, manifest));
        (fresh::read(ctx, &connect, depth, &was), joined(elsewhere))
    });
    let restored = restored?;
    if let Some(difference) = difference(&restored, &was) {
        return Err(Error::Differs(difference));
    }
    let found = computed::differences(&restored, &was);
    found.iter().try_for_each(|found| found.tell(ctx, "by a restore"))?;
    let bound = bound?;
    bound::warn_proven(ctx, name, &bound)?;
    Ok((found.iter().map(Difference::name).collect(), bound))
}
