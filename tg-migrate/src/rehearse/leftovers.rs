//! What a killed rehearsal leaves: containers, volumes, networks and files, that the next command takes away.

use std::time::Duration;

use tg_core::lock;
use tg_core::ours::{Maker, Turn};
use tg_core::throwaway;

use crate::context::Context;
use crate::error::MigrateError;
use crate::rehearse::{MAKER, stage};

/// Beside the project's own lock: a rehearsal changes nothing of the project.
const LOCK: &str = "rehearse.lock";

/// One rehearsal at a time in a project; what a killed one left is swept first.
pub(super) fn begin<'a>(ctx: &'a Context, maker: &'a Maker) -> Result<Turn<'a>, MigrateError> {
    let session = ctx.session;
    let lock = lock::acquire_named(maker.state, LOCK, crate::TOOL, &session.run, &mut |_| {
        session.check("waiting for a killed rehearsal")?;
        std::thread::sleep(Duration::from_millis(100));
        Ok(())
    })?;
    Turn::begin(lock, || clear(ctx, maker))
}

/// Removes what killed rehearsals left: containers, volumes, networks, files.
fn clear(ctx: &Context, maker: &Maker) -> Result<(), MigrateError> {
    throwaway::sweep(maker, &ctx.engine)?;
    let files = std::fs::read_dir(maker.state.root()).into_iter().flatten().flatten();
    for file in files.filter(|f| f.file_name().to_string_lossy().starts_with(stage::FILE_PREFIX)) {
        let _ = std::fs::remove_file(file.path()).or_else(|_| std::fs::remove_dir_all(file.path()));
    }
    Ok(())
}

/// The same by any other command, where no rehearsal is at work.
pub(crate) fn sweep(ctx: &Context) -> Result<(), MigrateError> {
    let state = &ctx.project.state()?;
    if !state.root().join(LOCK).exists() {
        return Ok(());
    }
    let maker = Maker { session: ctx.session, state, name: MAKER };
    let mut busy = |_: &lock::Holder| Err(tg_core::Error::Interrupted);
    match lock::acquire_named(state, LOCK, crate::TOOL, &ctx.session.run, &mut busy) {
        Ok(_lock) => clear(ctx, &maker),
        // Somebody rehearses, or what a killed one had begun has not ended yet.
        Err(_) => Ok(()),
    }
}
