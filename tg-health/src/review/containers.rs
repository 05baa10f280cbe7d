//! The containers as they are now: restarts, ends, memory, images.

use serde_json::json;
use tg_core::container::Container;
use tg_core::engine::Engine;
use tg_core::project::Project;
use tg_core::{Error, bytes, clock};

use super::entry::{Entry, attention_if, note_if};
use crate::services::is_one_shot;

/// More than this part of its limit is too much.
const MOST_MEMORY: f64 = 0.9;

/// What there is to tell of them. `resting`: those that a swap keeps for its way back.
pub(super) fn entries(
    engine: &Engine,
    project: &Project,
    containers: &[Container],
    resting: &[String],
) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let running: Vec<&Container> = containers.iter().filter(|container| container.running()).collect();
    let ids: Vec<&str> = running.iter().map(|container| container.id.as_str()).collect();
    for (container, used) in running.iter().zip(engine.memory_used(&ids)?) {
        entries.extend(used.map(|used| memory(container, used)));
    }
    for container in containers {
        let one_shot = is_one_shot(project, &container.service);
        entries.push(state(container, one_shot, resting.contains(&container.id)));
        if !one_shot {
            entries.extend(image(engine, container)?);
        }
    }
    Ok(entries)
}

fn state(container: &Container, one_shot: bool, resting: bool) -> Entry {
    let Container { name, service, state, restarts, oom_killed, exit_code, .. } = container;
    let up_s = clock::age_s(&container.started_at).filter(|_| container.running());
    let ended_well = one_shot && *exit_code == 0 && !container.running();
    let bad = *restarts > 0 || *oom_killed || !(container.running() || ended_well || resting);
    let words = match (container.running(), *restarts) {
        (true, 0) => format!("runs for {}", age(up_s)),
        (true, n) => format!("runs for {} after {n} restarts", age(up_s)),
        (false, _) => format!("{state} with exit {exit_code}"),
    };
    let memory = if *oom_killed { ", was killed for want of memory" } else { "" };
    let rests = if resting { ", kept for the way back" } else { "" };
    let facts = json!({
        "container": name, "service": service, "state": state, "restarts": restarts,
        "resting": resting, "oom_killed": oom_killed, "exit_code": exit_code, "up_s": up_s, "health": container.health,
    });
    Entry::new("containers", "container", attention_if(bad), format!("{name} {words}{memory}{rests}"), facts)
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a container")]
fn memory(container: &Container, used: u64) -> Entry {
    let limit = container.memory_limit;
    let share = limit.map(|limit| used as f64 / limit as f64);
    let of = limit.map_or_else(String::new, |limit| format!(" of {}", bytes::size(limit)));
    let msg = format!("{} takes {}{of}", container.name, bytes::size(used));
    let facts =
        json!({"container": container.name, "service": container.service, "bytes": used, "limit": limit});
    let severity = attention_if(share.is_some_and(|share| share > MOST_MEMORY));
    Entry::new("containers", "memory", severity, msg, facts)
}

/// Whether its tag means another image by now. What is newer in the registry `tg-swap outdated` knows.
fn image(engine: &Engine, container: &Container) -> Result<Option<Entry>, Error> {
    let now = engine.image(&container.image)?;
    let behind = now.as_ref().is_some_and(|image| image.id != container.image_id);
    let version = now.as_ref().and_then(|image| image.version.clone());
    let msg = match (&now, behind) {
        (None, _) => format!("{}: {} is not on this host any more", container.name, container.image),
        (_, true) => format!("{} runs an older image than {} means now", container.name, container.image),
        (_, false) => format!("{} runs {}", container.name, container.image),
    };
    let facts = json!({"container": container.name, "image": container.image, "version": version, "behind": behind, "here": now.is_some()});
    let severity = note_if(behind || now.is_none());
    Ok(Some(Entry::new("images", "image", severity, msg, facts)))
}

/// The largest unit alone.
pub(super) fn age(seconds: Option<u64>) -> String {
    match seconds {
        None => "an unknown time".into(),
        Some(s) if s < 120 => format!("{s} s"),
        Some(s) if s < 7200 => format!("{} min", s / 60),
        Some(s) if s < 172_800 => format!("{} h", s / 3600),
        Some(s) => format!("{} days", s / 86_400),
    }
}
