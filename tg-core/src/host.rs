//! What the host has left, and what its engine can do.

use bollard::models::ContainerStatsResponse;
use bollard::query_parameters as query;
use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::Error;
use crate::engine::{ANSWER, Engine, absent, classify};
use crate::settings::process_env;

impl Engine {
    /// The version of the engine's API that both sides speak, such as (1, 44).
    #[must_use]
    pub fn api_version(&self) -> (usize, usize) {
        let version = self.docker.client_version();
        (version.major_version, version.minor_version)
    }

    /// Bytes of memory that each of these running containers uses, without the file cache that can be dropped, as
    /// docker-stats(1) counts them; `None` where the engine does not say it. All are asked at once: the engine looks once a second, and
    /// lets each question wait for its next look.
    pub fn memory_used(&self, ids: &[&str]) -> Result<Vec<Option<u64>>, Error> {
        let options = || query::StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let questions = ids.iter().map(|id| {
            let mut stream = self.docker.stats(id, Some(options()));
            async move { stream.next().await.transpose() }
        });
        let answers = self.ask(ANSWER, async { Ok(join_all(questions).await) })?;
        answers
            .into_iter()
            .map(|answer| absent(answer.map_err(|e| classify(&e))).map(|s| s.flatten().and_then(used)))
            .collect()
    }
}

fn used(stats: ContainerStatsResponse) -> Option<u64> {
    let memory = stats.memory_stats?;
    let fields = memory.stats.unwrap_or_default();
    // cgroup v2 and v1 name it differently.
    let cache = fields.get("inactive_file").or_else(|| fields.get("total_inactive_file"));
    Some(memory.usage?.saturating_sub(cache.copied().unwrap_or_default()))
}

/// Bytes of memory that new processes can take on the engine's host (`MemAvailable` of proc(5));
/// `None` where the engine is on another host.
#[must_use]
pub fn memory_available() -> Option<u64> {
    if process_env("DOCKER_HOST").is_some_and(|host| !host.starts_with("unix://")) {
        return None;
    }
    available(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_kibibytes_and_told_in_bytes() {
        let text = "MemTotal:  100 kB\nMemFree:   1 kB\nMemAvailable:   3 kB\n";
        assert_eq!(available(text), Some(3072));
        assert_eq!(available("MemTotal: 100 kB\n"), None);
    }
}
