//! The proof itself: roles, database, data, and then every table against the manifest.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use tg_core::backup::{Depth, Manifest};
use tg_core::clock::milliseconds;
use tg_core::throwaway::Throwaway;

use crate::compare::difference;
use crate::context::Context;
use crate::error::Error;
use crate::fresh;

/// What was compared, and how long it took.
pub(crate) struct Proof {
    /// Nothing where the state of the backup is not one that was read.
    pub depth: Option<Depth>,
    pub restore_ms: u64,
    pub read_ms: u64,
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
            let connect = || Ok(server.connect(&manifest.database.name)?);
            let restored = fresh::read(&connect, depth)?;
            if let Some(difference) = difference(&restored, &manifest.facts()) {
                return Err(Error::Differs(difference));
            }
            server.dress(&manifest.database)?;
            let read_ms = milliseconds(reading);
            let data = json!({"restore_ms": restore_ms, "read_ms": read_ms, "tables": manifest.tables.len()});
            Ok((Proof { depth: Some(depth), restore_ms, read_ms }, data))
        },
    )
}
