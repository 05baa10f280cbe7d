//! Containers that are not what the project's files would create now.

use tg_core::container::Container;
use tg_core::process::Runner;

use crate::error::SwapError;
use crate::plan::Plan;

/// The containers of a service that have another configuration than the files, or another image
/// than this one.
pub(crate) fn containers(
    runner: Runner,
    plan: &Plan,
    service: &str,
    image_id: Option<&str>,
) -> Result<Vec<Container>, SwapError> {
    let hash = plan.project.compose.hash(runner, service)?;
    let mut containers = plan.engine.containers(&plan.project.name, service)?;
    containers
        .retain(|c| !c.one_off && (c.config_hash != hash || image_id.is_some_and(|id| id != c.image_id)));
    Ok(containers)
}
