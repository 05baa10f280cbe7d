//! Who holds a name or a port that a container wants: one that goes, or one that stays.

use tg_core::Error;
use tg_core::container::PROJECT_LABEL;
use tg_core::engine::Engine;
use tg_core::passing::Passing;

use crate::error::SwapError;
use crate::patience;

/// Why a failure may pass, by its words and by what the engine says of who is in the way.
pub(crate) fn may_pass(engine: &Engine, project: &str, error: &SwapError) -> Option<Passing> {
    let passing = patience::may_pass(error)?;
    // An engine that can't tell who it is says so itself at the next try.
    let stays = || by_one_that_stays(engine, project, &error.to_string()).unwrap_or_default();
    (passing != Passing::Held || !stays()).then_some(passing)
}

/// Whether what was said to be taken is held by a container that nobody is about to end. A container of the project itself
/// may be on its way out.
fn by_one_that_stays(engine: &Engine, project: &str, problem: &str) -> Result<bool, Error> {
    if let Some(id) = container_in(problem) {
        return Ok(engine.inspect(id)?.is_some_and(|c| !matches!(c.state.as_str(), "removing" | "dead")));
    }
    let Some(port) = port_in(problem) else { return Ok(false) };
    let ours = engine.labelled(&[format!("{PROJECT_LABEL}={project}")])?;
    let all = engine.labelled(&[])?;
    let strangers = all.iter().filter(|c| c.running() && !ours.iter().any(|own| own.id == c.id));
    Ok(strangers.flat_map(|c| c.published.values()).any(|(_, published)| *published == port))
}

/// `… is already in use by container "ac17630f".`
fn container_in(problem: &str) -> Option<&str> {
    problem.split_once("is already in use by container \"")?.1.split('"').next()
}

/// `Bind for 127.0.0.1:8099 failed: port is already allocated`.
fn port_in(problem: &str) -> Option<u16> {
    let (before, _) = problem.split_once(" failed: port is already allocated")?;
    before.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_name_and_a_port_are_read_from_what_docker_says() {
        let name = "Conflict. The container name \"/app-api-1\" is already in use by container \"ac17630f\". You have to remove it.";
        assert_eq!((container_in(name), port_in(name)), (Some("ac17630f"), None));
        let port = "endpoint app-api-1 (57dc): Bind for 127.0.0.1:8099 failed: port is already allocated";
        assert_eq!((container_in(port), port_in(port)), (None, Some(8099)));
        assert_eq!(port_in("Bind for [::1]:80 failed: port is already allocated"), Some(80));
    }
}
