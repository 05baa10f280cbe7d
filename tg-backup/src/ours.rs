//! Containers of our own making, and how they are found again when their maker was killed.

use std::collections::HashMap;

use tg_core::container::RUN_LABEL;

use crate::context::Context;
use crate::error::Error;

const TOOL_LABEL: &str = "tg.tool";
/// The lock belongs to a state directory, and so does the right to remove what another run left.
const STATE_LABEL: &str = "tg.state";

/// The labels of what `maker` makes in this project, in any run.
pub(crate) fn labels(ctx: &Context, maker: &str) -> HashMap<String, String> {
    HashMap::from([
        (TOOL_LABEL.to_owned(), maker.to_owned()),
        (STATE_LABEL.to_owned(), ctx.state.root().display().to_string()),
    ])
}

/// The same, with the run of ours.
pub(crate) fn labels_of_run(ctx: &Context, maker: &str) -> HashMap<String, String> {
    let mut all = labels(ctx, maker);
    all.insert(RUN_LABEL.to_owned(), ctx.session.run.clone());
    all
}

/// The labels as the engine is asked for them.
pub(crate) fn filters(ctx: &Context, maker: &str) -> Vec<String> {
    labels(ctx, maker).iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Removes the containers that killed runs of `maker` left; only the holder of its lock may.
pub(crate) fn sweep(ctx: &Context, maker: &str) -> Result<(), Error> {
    for left in ctx.engine()?.labelled(&filters(ctx, maker))? {
        ctx.session.emit.explain(&format!("removing container {} of a killed run", left.name));
        ctx.engine()?.remove_own(&left.id)?;
    }
    Ok(())
}
